"""One log file that never outgrows its bounds: older parts are put aside, and what repeats is counted instead of written."""

import contextlib
import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPORT_INTERVAL_S = 10.0
"""Seconds after which a count of repeated lines is written while they go on."""
_MAX_LINE_BYTES = 64 * 1024
_STAMP = re.compile(rb'^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} |\{"time": "[^"]*", )')
"""The moment with which a line of a process begins; lines that differ in nothing else are repetitions."""


@dataclass(frozen=True)
class Bounds:
    """How much of one log stays: files of so many bytes, the current one and the older ones with `.1`, `.2` … at their ends."""

    part_bytes: int
    parts: int


class RotatingLog:
    """Appends to `path`, with mode 0600. A disk without room loses lines, and they are counted."""

    def __init__(self, path: Path, clock: Callable[[], float], bounds: Bounds) -> None:
        self._path = path
        self._clock = clock
        self._bounds = bounds
        self._rest = b""
        self._last: bytes | None = None
        self._json = False
        self._repeated = 0
        self._reported = clock()
        self._lost = 0
        self._handle: int | None = None
        self._size = 0
        with contextlib.suppress(OSError):  # tried again with the first line
            self._open(0)
        with contextlib.suppress(OSError):  # tried again with the next start
            self._remove_beyond_bounds()

    def feed(self, data: bytes) -> None:
        """Take what a process wrote; the last line may be incomplete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        written = [one for line in lines for one in self._lines(line)]
        if len(self._rest) > _MAX_LINE_BYTES:
            written += self._lines(self._rest)
            self._rest = b""
        self._write(b"".join(written))

    def report(self) -> None:
        """Write down the count of lines that repeat, if that is due."""
        if self._repeated and self._clock() - self._reported >= REPORT_INTERVAL_S:
            self._write(self._count())

    def close(self) -> None:
        """Write what is left."""
        rest = b"".join(self._lines(self._rest)) if self._rest else b""
        self._rest = b""
        self._write(rest + self._count())
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _lines(self, line: bytes) -> list[bytes]:
        """What is to be written for `line`: nothing while it repeats the one before."""
        text = _STAMP.sub(b"", line)
        if text and text == self._last:
            self._repeated += 1
            return [self._count()] if self._clock() - self._reported >= REPORT_INTERVAL_S else []
        counted = self._count()
        self._last = text
        self._json = line.startswith(b"{")
        self._reported = self._clock()
        return [counted, line, b"\n"]

    def _count(self) -> bytes:
        count, self._repeated = self._repeated, 0
        self._reported = self._clock()
        return self._remark(f"the line above, {count} more times") if count else b""

    def _remark(self, text: str) -> bytes:
        """A line of the log's own, in the form of those around it."""
        return f'{{"event": "log.remark", "message": "{text}"}}\n'.encode() if self._json else f"  ({text})\n".encode()

    def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            handle = self._open(len(data))
            if self._lost:
                data = self._remark(f"{self._lost} bytes of log could not be written") + data
            done = os.write(handle, data)
            self._size += done
            self._lost = len(data) - done
        except OSError:
            self._lost += len(data)

    def _open(self, room: int) -> int:
        if self._handle is not None and self._size + room > self._bounds.part_bytes and self._size:
            os.close(self._handle)
            self._handle = None
            self._put_aside()
        if self._handle is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._handle = os.open(self._path, flags, 0o600)
            os.fchmod(self._handle, 0o600)
            self._size = os.fstat(self._handle).st_size
            if self._size + room > self._bounds.part_bytes and self._size:
                return self._open(room)
        return self._handle

    def _put_aside(self) -> None:
        for number in range(self._bounds.parts - 1, 0, -1):
            older = self._path if number == 1 else part(self._path, number - 1)
            if older.exists():
                older.replace(part(self._path, number))

    def _remove_beyond_bounds(self) -> None:
        """Remove the parts that wider bounds have left."""
        for found in self._path.parent.glob(f"{glob.escape(self._path.name)}.*"):
            number = found.name.removeprefix(f"{self._path.name}.")
            if number.isdecimal() and int(number) >= self._bounds.parts:
                found.unlink(missing_ok=True)


def part(path: Path, number: int) -> Path:
    """The older part of the log at `path` with this number, counted from the newest."""
    return path.with_name(f"{path.name}.{number}")
