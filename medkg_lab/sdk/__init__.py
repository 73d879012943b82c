"""The lab from Python: `from medkg_lab import Lab`. The HTTP API, the MCP server, the report and Haystack's parts stand on it."""
