"""The record of a run on the disk: what survives a kernel."""
