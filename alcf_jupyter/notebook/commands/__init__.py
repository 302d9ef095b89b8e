"""What stands behind ``%alcf``: a module for each subject."""
