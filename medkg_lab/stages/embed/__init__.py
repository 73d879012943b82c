"""Embedding: a vector for each chunk, by a model in this process or by an endpoint that serves one."""
