"""The OpenAI client on this connection."""
