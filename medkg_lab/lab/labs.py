"""The labs that this user runs on this machine, found by their supervisors' processes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from medkg_lab import running
from medkg_lab.errors import LabError
from medkg_lab.linux import open_files
from medkg_lab.rpc import Client
from medkg_lab.running import Running
from medkg_lab.supervisor.answers import LabStatus
from medkg_lab.supervisor.spec import LOCK

ANSWER_S = 2.0
_MODULE = b"medkg_lab.supervisor"


@dataclass(frozen=True)
class RunningLab:
    """One lab: `since` is when it was started, in seconds since 1970; `state` how it is, in a few words."""

    home: str
    pid: int
    since: float
    state: str


def running_labs() -> list[RunningLab]:
    """Every lab of this user that runs, the oldest first."""
    found = {one.pid: RunningLab(one.home, one.pid, one.since, _state(one)) for one in _supervisors()}
    return sorted(found.values(), key=lambda one: one.since)


def _supervisors() -> Iterator[Running]:
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or entry.stat().st_uid != os.getuid():
                continue
            if _MODULE not in (entry / "cmdline").read_bytes().split(b"\0"):
                continue
            # Its state folder is where its lock lies: the command line does not name the platform's usual places.
            opened = map(Path, open_files(int(entry.name)))
        except OSError:
            continue  # it has just ended
        for path in opened:
            if (
                path.name == LOCK
                and (record := running.read(path.parent)) is not None
                and record.pid == int(entry.name)
            ):
                yield record


def _state(one: Running) -> str:
    if one.is_frozen():
        return "stopped by a signal"
    try:
        with Client(Path(one.runtime) / "labd.sock", deadline=ANSWER_S) as client:
            status = msgspec.convert(client.call("status"), LabStatus)
    except LabError:
        return "does not answer"
    except msgspec.ValidationError:
        return "is of another version"
    if status.stopping:
        return "stopping"
    ready = sum(process.state == "ready" for process in status.processes)
    return "ready" if ready == len(status.processes) else f"{ready} of {len(status.processes)} processes ready"
