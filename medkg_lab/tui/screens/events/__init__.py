"""The Events mode."""
