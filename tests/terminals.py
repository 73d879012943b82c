"""A pseudo-terminal with a program in it: what it writes is read all the time, what is typed is bytes."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.waiting import wait_until

IN_USE = (b"\x1b[?1049h", b"\x1b[?1003h", b"\x1b[?2004h", b"\x1b[?25l")
"""What the screen asks of a terminal: alternate screen, mouse, bracketed paste, no cursor."""
RESTORED = (
    b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?1006l", b"\x1b[?2004l", b"\x1b[<u", b"\x1b[?25h", b"\x1b[?7h",
)  # fmt: skip
"""What leaves the terminal as it was."""


class PseudoTerminal:
    """A program that runs in a pseudo-terminal."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = (40, 120)
    ) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execve(command[0], list(command), dict(environment))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.modes = termios.tcgetattr(self._master)
        self._written = bytearray()
        self._code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._master, 65536):
                self._written += data

    @property
    def written(self) -> bytes:
        """All that the program has written."""
        return bytes(self._written)

    def type(self, *pieces: bytes) -> None:
        """Type bytes, each piece as a write of its own."""
        for piece in pieces:
            while piece:
                piece = piece[os.write(self._master, piece[:1024]) :]

    def sees(self, *words: bytes, after: int = 0, seconds: float = 60.0) -> None:
        """Wait until all words were written, behind the first `after` bytes."""
        try:
            wait_until(lambda: all(word in self.written[after:] for word in words), seconds, f"seeing {words}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.written[-3000:]!r}") from None

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._master)

    @property
    def code(self) -> int | None:
        """The exit code; None while the program runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def ended(self, seconds: float = 30.0) -> int:
        """Wait for the end, and for the last of what was written; return the exit code."""
        wait_until(lambda: self.code is not None, seconds, "the program's end")
        self._reader.join(5)
        assert self._code is not None
        return self._code

    def close(self) -> None:
        """End what still runs."""
        if self.code is None:
            self.signal(signal.SIGKILL)
            self.ended()
        with contextlib.suppress(OSError):
            os.close(self._master)


@contextlib.contextmanager
def screen_in_terminal(home: Path, *arguments: str, script: str = "") -> Iterator[PseudoTerminal]:
    """The screen of the lab at `home`, without starting a lab; `script` replaces its program."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MEDKG_LAB_HOME": str(home / "lab"),
        "MEDKG_LAB_THEME": "dark",
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
    }
    program = ["-c", script] if script else ["-m", "medkg_lab.cli.main", "screen", "--no-start", *arguments]
    terminal = PseudoTerminal([sys.executable, *program], environment)
    try:
        yield terminal
    finally:
        terminal.close()
