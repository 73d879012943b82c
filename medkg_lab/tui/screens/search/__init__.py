"""The Search mode."""
