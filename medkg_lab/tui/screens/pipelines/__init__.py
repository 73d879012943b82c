"""The Pipelines mode."""
