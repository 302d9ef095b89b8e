"""Recorded answers, and where an answer came from."""
