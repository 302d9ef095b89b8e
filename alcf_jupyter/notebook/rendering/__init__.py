"""A model's answer as HTML in which nothing runs."""
