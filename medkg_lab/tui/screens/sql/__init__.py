"""The SQL mode."""
