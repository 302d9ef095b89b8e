"""Who one is to the service, and the tokens that show it."""
