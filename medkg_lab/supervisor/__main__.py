"""`python -m medkg_lab.supervisor`: labd, one per lab."""

import argparse
import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from medkg_lab import credentials, heartbeat, linux, logs, process, running, settings
from medkg_lab.locations import Locations
from medkg_lab.supervisor import upgrade
from medkg_lab.supervisor.children import clear_leftovers
from medkg_lab.supervisor.port_choice import choose_ports
from medkg_lab.supervisor.processes import lab_processes
from medkg_lab.supervisor.server import Supervisor
from medkg_lab.supervisor.spec import LOCK


def main() -> None:
    """Run the lab until it is told to stop."""
    parser = argparse.ArgumentParser(prog="labd")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="end when the process that started this one ends"
    )
    given, locations = process.arguments("labd", parser)
    if given.die_with_parent:
        linux.die_with_parent()
    os.chdir(locations.home)
    try:
        _run(locations)
    except OSError as error:
        # A full disk, or folders that may not be written: whoever starts the lab reads this instead of a traceback.
        raise process.CannotRun(process="labd", detail=f"{error}. Make room or fix the permissions.") from error


def _run(locations: Locations) -> None:
    with _lock(locations):
        chosen = settings.load(locations)
        if logs.VARIABLE not in os.environ:
            logs.set_up("labd", chosen.logs.format)
        credentials.renew(locations)
        clear_leftovers(locations)
        upgraded = upgrade.prepare(locations, chosen.backup.before_upgrade)
        notes = [*choose_ports(locations, chosen), *([upgraded] if upgraded else [])]
        supervisor = Supervisor(locations, chosen, lab_processes(locations, chosen), notes)
        running.write(locations.state, locations.home, locations.runtime)
        try:
            asyncio.run(supervisor.run(lambda: _ready(supervisor)))
            _ended(supervisor)
        finally:
            running.remove(locations.state)


@contextmanager
def _lock(locations: Locations) -> Iterator[None]:
    """Be the one supervisor of the lab. Raises CannotRun when there is another."""
    handle = os.open(locations.state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = running.read(locations.state)
            who = f"process {found.pid}" if found else "one that this process cannot see, perhaps in a container,"
            raise process.CannotRun(process="labd", detail=f"{who} runs the lab at {locations.home}.") from None
        yield
    finally:
        os.close(handle)


def _ready(supervisor: Supervisor) -> None:
    """Tell whoever started this process, who reads no further; what is printed from now on goes to the log."""
    os.environ.pop(heartbeat.VARIABLE, None)
    process.announce("labd")
    log = supervisor.open_log("labd")
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def _ended(supervisor: Supervisor) -> None:
    """Wait for the last lines of the logs, this process's own included: the writer goes on while anyone can write."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    supervisor.close()


if __name__ == "__main__":
    process.run("labd", main)
