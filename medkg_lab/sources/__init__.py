"""Where documents come from: local files and folders, and the public services that give them by id or query."""
