"""What ALCF serves, as data and pure functions: no I/O, and no package but the standard library."""
