"""The facade that the command line and the screen work on: whatever either can do is here once."""
