"""What the screen costs and how late it is: events at a fixed rate, a burst, a million of them, and its first paint.

The screen runs in a terminal of its own (a pseudo-terminal of 120 by 40 that reads all it is sent, and says what it is) and
follows a process that answers as the ledger does. An event's age runs from the moment it was due to the frame that shows it.
"""

import argparse
import fcntl
import os
import pty
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from medkg_lab import launch
from medkg_lab.bench.figures import Latencies, Report, at_least, at_most, spread

ROWS, COLUMNS = 40, 120
P95_MS, CORES, FRAME_GAP_MS, GROWTH_MB, PAINT_S, IDLE_CORES = 100.0, 0.3, 150.0, 16.0, 1.0, 0.02
PAINTS = 3
ATTRIBUTES_ASKED, ATTRIBUTES = b"\x1b[c", b"\x1b[?62;22c"
"""What every terminal is asked (DA1), and a VT220 with colours answers: one that did not would be waited for."""
SIGN = b"no lab is running here"
"""What the first frame of a screen without a lab says."""


@dataclass(frozen=True)
class Options:
    """Seconds of the steady stream, events per second, events of the burst, events in all for memory."""

    seconds: float = 20.0
    rate: float = 1600.0
    burst: int = 50_000
    flood: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady(Latencies):
    """The ages of events at a fixed rate, and what showing them cost."""

    cores: float
    worst_gap_ms: float
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What became of many events at once."""

    rows: int
    lost: int
    shown_after_ms: float
    worst_frame_gap_ms: float
    worst_loop_gap_ms: float
    newest_shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Before and after all events."""

    warm_mb: float
    after_mb: float
    rows: int
    p95_gap_ms: float


@dataclass(frozen=True, slots=True)
class Idle:
    """The share of a core while nothing happens."""

    cores: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What the screen saw of itself."""

    steady: Steady
    burst: Burst
    memory: Memory
    idle: Idle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The measurement's own options."""
    default = Options()
    parser.add_argument(
        "--seconds", type=float, default=default.seconds, help="seconds of the steady stream (default 20)"
    )
    parser.add_argument("--rate", type=float, default=default.rate, help="events per second (default 1600)")
    parser.add_argument("--burst", type=int, default=default.burst, help="events at once (default 50000)")
    parser.add_argument("--flood", type=int, default=default.flood, help="events in all for memory (default 1000000)")


def options_from(args: argparse.Namespace) -> Options:
    """The options of a parsed command line."""
    return Options(args.seconds, args.rate, args.burst, args.flood)


def measure(options: Options) -> Report:
    """Measure the screen."""
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        home = Path(folder)
        paints = [_first_paint(home / "lab") for _ in range(PAINTS)]
        seen = _streamed(home, options)
    first_paint = spread(paints)
    growth = round(seen.memory.after_mb - seen.memory.warm_mb, 1)
    targets = [
        at_most("event to screen p95 ms", seen.steady.p95_ms, P95_MS),
        at_most("cores at the steady rate", seen.steady.cores, CORES),
        at_most("events lost of the burst", seen.burst.lost, 0),
        at_most("cores while nothing happens", seen.idle.cores, IDLE_CORES),
        at_least("newest of the burst shown", int(seen.burst.newest_shown), 1),
        at_most("worst frame gap in the burst ms", seen.burst.worst_frame_gap_ms, FRAME_GAP_MS),
        at_most("memory grown over the flood MB", growth, GROWTH_MB),
        at_most("first paint s", first_paint.median, PAINT_S),
    ]
    return Report(bench="screen", targets=targets, detail=asdict(seen) | {"first_paint_s": first_paint})


def _first_paint(home: Path) -> float:
    """Seconds from starting the command to the frame that says how things are."""
    command = launch.python("medkg_lab.cli.main", "screen", "--no-start", "--home", str(home))
    began = time.monotonic()
    with _Terminal(command) as terminal:
        terminal.wait(lambda: SIGN in terminal.head, 30)
        return time.monotonic() - began


def _streamed(home: Path, options: Options) -> Seen:
    """Play the scenario and return what the screen wrote down."""
    socket, out = home / "log.sock", home / "seen.json"
    source = subprocess.Popen(
        launch.python("medkg_lab.bench.screen_source", str(socket)), stdout=subprocess.PIPE, text=True
    )
    try:
        assert source.stdout is not None
        source.stdout.readline()
        args = (home / "lab", socket, out, options.seconds, options.rate, options.burst, options.flood)
        command = launch.python("medkg_lab.bench.screen_child", *map(str, args))
        with _Terminal(command) as terminal:
            terminal.process.wait()
            if not out.exists():
                raise RuntimeError(f"the screen ended early: {bytes(terminal.tail[-2000:])!r}")
        return msgspec.json.decode(out.read_bytes(), type=Seen)
    finally:
        source.kill()
        source.wait()


class _Terminal:
    """A program in a pseudo-terminal that reads all it is sent."""

    def __init__(self, command: Sequence[str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**launch.environment(), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.head = bytearray()
        self.tail = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "_Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return  # the program has ended: Linux tells it so
            if not data:
                return
            if ATTRIBUTES_ASKED in data:
                os.write(self._master, ATTRIBUTES)
            if len(self.head) < 1_000_000:
                self.head += data
            self.tail = (self.tail + data)[-4000:]

    def wait(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"the screen did not show what it should: {bytes(self.tail)!r}")
            time.sleep(0.005)
