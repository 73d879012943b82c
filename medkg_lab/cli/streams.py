"""The standard streams of a command: usable whatever the shell, the locale or a service left of them, and safe for a terminal."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.text import sanitize

ESCAPED = "backslashreplace"
"""What becomes of a character that a stream's encoding does not have: its code, such as \\u2026 (Python's codecs module)."""


class NoStandardInput(LabError):
    """Standard input is closed, so there is nothing to read. Give the value as an argument, or connect standard input."""

    exit_code = exit_codes.USAGE


class TerminalStream(io.TextIOWrapper):
    """Text on its way to a terminal: control characters in it are made visible, since they may be anybody's."""

    def __init__(self, unfiltered: TextIO) -> None:
        super().__init__(
            unfiltered.buffer, unfiltered.encoding, ESCAPED, newline="\n", line_buffering=True, write_through=True
        )
        self.unfiltered = unfiltered

    def write(self, text: str) -> int:
        """Write `text`, made safe."""
        return super().write(sanitize(text))


@contextlib.contextmanager
def usable_streams() -> Iterator[None]:
    """Within the block stdout and stderr exist, print every character in some form, and obey no foreign text on a terminal.

    Streams that are not the process's own (a test's) are left as they are.
    """
    _fill_gaps()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _usable(sys.stdout, 1), _usable(sys.stderr, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TerminalStream):
                stream.detach()  # else its end would close the stream below it
        sys.stdout, sys.stderr = before


@contextlib.contextmanager
def unfiltered_streams() -> Iterator[None]:
    """Within the block what is written reaches the terminal as it is: for what makes foreign text safe itself."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = unfiltered(sys.stdout), unfiltered(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def unfiltered(stream: TextIO) -> TextIO:
    """The stream below `stream`, for our own control sequences; flush what is written there."""
    return stream.unfiltered if isinstance(stream, TerminalStream) else stream


def discard_output() -> None:
    """Send what stdout and stderr still hold, and all that comes, nowhere where they cannot be written: at the end of the
    process the interpreter would complain about it."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)
                stream.flush()


def standard_input() -> BinaryIO:
    """Standard input, as bytes. Raises NoStandardInput."""
    if sys.stdin is None:
        raise NoStandardInput
    return sys.stdin.buffer


def _fill_gaps() -> None:
    """Put /dev/null where a standard stream is closed, else the next file or socket to be opened would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            else:
                os.set_inheritable(number, True)


def _usable(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        return open(number, "w", encoding="utf-8", errors=ESCAPED, closefd=False)
    if not isinstance(stream, io.TextIOWrapper) or not _is_own(stream, number):
        return stream
    stream.reconfigure(errors=ESCAPED)
    return TerminalStream(stream) if stream.isatty() else stream


def _is_own(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False
