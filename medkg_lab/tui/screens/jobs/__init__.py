"""The Jobs mode."""
