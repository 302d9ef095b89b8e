"""Embeddings searched, mapped, grouped and shown."""
