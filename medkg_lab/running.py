"""Which process runs a lab: written down with the lab's data, so that it is found whatever the asker's environment is.

The record is a file in the lab's state folder. It counts only while the process that it names lives: a pid that belongs to
another process by now is recognised by its start time and the boot.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from medkg_lab import linux
from medkg_lab.files import replace_private

FILE = "labd.json"


@dataclass(frozen=True)
class Running:
    """The supervisor of a lab, as it wrote itself down: `started` in clock ticks since `boot`, `since` in seconds since 1970."""

    pid: int
    started: int
    boot: str
    since: float
    home: str
    runtime: str

    def is_alive(self) -> bool:
        """Whether that process still runs."""
        return linux.same_process(self.pid, self.started, self.boot)

    def is_frozen(self) -> bool:
        """Whether it was stopped by a signal or a debugger."""
        return linux.process_state(self.pid) in ("T", "t")


def write(state: Path, home: Path, runtime: Path) -> None:
    """Write this process down as the one that runs the lab with the folder `state`."""
    pid = os.getpid()
    record = Running(pid, linux.start_time(pid) or 0, linux.boot_id(), time.time(), str(home), str(runtime))
    replace_private(state / FILE, json.dumps(asdict(record)))


def remove(state: Path) -> None:
    """Take the record away at the end."""
    (state / FILE).unlink(missing_ok=True)


def read(state: Path) -> Running | None:
    """Who runs the lab with the folder `state`; None when nobody does, or the record is not this user's."""
    path = state / FILE
    try:
        if path.stat().st_uid != os.getuid():
            return None
        found = msgspec.json.decode(path.read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.is_alive() else None
