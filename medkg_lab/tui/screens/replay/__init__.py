"""The Replay mode."""
