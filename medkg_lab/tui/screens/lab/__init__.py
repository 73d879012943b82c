"""The Lab mode."""
