"""`python -m medkg_lab.supervisor`: labd, one per lab."""

import argparse
import asyncio
import fcntl
import os

from medkg_lab import credentials, linux, process, settings
from medkg_lab.supervisor.processes import lab_processes
from medkg_lab.supervisor.server import Supervisor


def main() -> None:
    """Run the lab until it is told to stop."""
    parser = argparse.ArgumentParser(prog="labd")
    parser.add_argument(
        "--die-with-parent", action="store_true", help="end when the process that started this one ends"
    )
    given, locations = process.arguments("labd", parser)
    if given.die_with_parent:
        linux.die_with_parent()
    lock = os.open(locations.state / "labd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise process.CannotRun(process="labd", detail=f"another one runs the lab at {locations.home}.") from None
    chosen = settings.load(locations)
    credentials.renew(locations)
    supervisor = Supervisor(locations, chosen, lab_processes(locations, chosen))
    asyncio.run(supervisor.run())


if __name__ == "__main__":
    process.run("labd", main)
