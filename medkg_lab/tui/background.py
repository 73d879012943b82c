"""Whether the terminal's background is light, which chooses the theme while nobody has: the terminal is asked by OSC 11."""

import contextlib
import os
import re
import select
import termios
import time
import tty

from medkg_lab.tui import theme

ASK = b"\x1b]11;?\x1b\\\x1b[c"
"""The background colour (xterm, OSC 11), and after it what every terminal answers (DA1): then no more is to come."""
PATIENCE_S = 0.3
"""Seconds that the terminal has; over a slow line it answers later, and is then dark."""
MAX_BYTES = 4096
_COLOUR = re.compile(rb"\x1b\]11;rgb:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_ATTRIBUTES = re.compile(rb"\x1b\[\?[\d;]*c")


def is_light(colour: str) -> bool:
    """Whether black stands out more than white on this colour (#rrggbb), by WCAG 2's contrast."""
    return theme.contrast(colour, "#000000") > theme.contrast(colour, "#ffffff")


def colour_in(answer: bytes) -> str | None:
    """The colour that a terminal answered, as #rrggbb; its parts have one to four hexadecimal digits."""
    found = _COLOUR.search(answer)
    if found is None:
        return None
    parts = (round(int(part, 16) / (16 ** len(part) - 1) * 255) for part in found.groups())
    return "#" + "".join(f"{part:02x}" for part in parts)


def query_background(device: str = "/dev/tty", patience: float = PATIENCE_S) -> str | None:
    """The background of the terminal as #rrggbb; None when it does not tell within `patience` seconds, or is not a terminal."""
    with contextlib.suppress(OSError, termios.error):
        handle = os.open(device, os.O_RDWR | os.O_NOCTTY)
        try:
            return _query(handle, patience)
        finally:
            os.close(handle)
    return None


def _query(handle: int, patience: float) -> str | None:
    before = termios.tcgetattr(handle)
    try:
        tty.setraw(handle, termios.TCSANOW)
        os.write(handle, ASK)
        answer, until = b"", time.monotonic() + patience
        while not _ATTRIBUTES.search(answer) and len(answer) < MAX_BYTES:
            ready, _, _ = select.select([handle], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                break
            answer += os.read(handle, 256)
        return colour_in(answer)
    finally:
        termios.tcsetattr(handle, termios.TCSANOW, before)
