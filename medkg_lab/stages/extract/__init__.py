"""Extraction: the concepts that a document is about and mentions, and what it states of them."""
