"""Tests of the ways into a running lab: Python, HTTP, MCP, Haystack, the report."""
