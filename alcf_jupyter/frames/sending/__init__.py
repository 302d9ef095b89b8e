"""How the requests of a column are sent: how many at once, how fast, and what a failure means."""
