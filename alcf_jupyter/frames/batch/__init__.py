"""Batches of the service: their input, their submission, and what came back."""
