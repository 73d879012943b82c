"""What stands in the way of the MCP server."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class McpMissing(LabError):
    """The MCP server needs the package mcp, which is not installed. Install it with
    `{command}`."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY
