"""What can be clicked: each widget also shows itself as plain HTML and as a line of text."""
