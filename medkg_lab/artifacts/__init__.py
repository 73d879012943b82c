"""The content-addressed store of everything that stages take and give."""
