"""Chunking: a document's text cut into passages that fit the embedding model."""
