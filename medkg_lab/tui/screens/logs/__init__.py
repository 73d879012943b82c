"""The Logs mode."""
