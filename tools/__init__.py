"""What the maintainers run: the notebooks' outputs kept true, in a clean environment."""
