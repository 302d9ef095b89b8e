"""How far runs and batches are, shown below a cell."""
