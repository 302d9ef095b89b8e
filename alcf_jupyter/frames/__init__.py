"""Columns in, columns out: pandas on both sides."""
