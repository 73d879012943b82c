"""Colours on a terminal: states by their meaning, headings in bold. NO_COLOR and FORCE_COLOR decide otherwise.

https://no-color.org and https://force-color.org: a variable counts when it is set and not empty; NO_COLOR goes first.
"""

import os
from typing import TextIO

BOLD, RED, GREEN, YELLOW, CYAN = "1", "31", "32", "33", "36"
STATES = {
    **dict.fromkeys(("completed", "ready", "ok", "released", "open"), GREEN),
    **dict.fromkeys(("failed", "dead", "missing", "given_up", "silent", "rejected"), RED),
    **dict.fromkeys(("waiting", "waiting_gate", "cancelled", "starting", "lost"), YELLOW),
    **dict.fromkeys(("running", "queued"), CYAN),
}
"""The states of jobs, stages, gates, processes and checks, by what they mean to a person."""


def is_coloured(stream: TextIO) -> bool:
    """Whether colours are written to `stream`."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str | None) -> str:
    """`text`, which is safe for a terminal, in a colour; its blanks at the end stay as they are."""
    bare = text.rstrip()
    return f"\x1b[{colour}m{bare}\x1b[0m{text[len(bare) :]}" if colour and bare else text
