"""The line and the body of a magic: read, checked, completed."""
