"""What every process of the lab does alike: arguments, logging, the ready line, and a clean stop on SIGTERM."""

import argparse
import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict

from medkg_lab import exit_codes, heartbeat, logs
from medkg_lab.errors import LabError
from medkg_lab.failures import describe
from medkg_lab.interpreter import restart_if_unsuitable
from medkg_lab.locations import Locations, locate


class CannotRun(LabError):
    """{process} cannot run, and starting it again would not help: {detail}"""

    exit_code = exit_codes.NO_RESTART


class Stopping:
    """Whether the process should end: set by SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self, seconds: float = 0) -> bool:
        """Wait up to `seconds` for the end and say whether it has come."""
        return self._event.wait(seconds) if seconds else self._event.is_set()

    def stop(self) -> None:
        """Ask the process to end."""
        self._event.set()

    def listen(self) -> None:
        """End at SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())


def arguments(process: str, parser: argparse.ArgumentParser | None = None) -> tuple[argparse.Namespace, Locations]:
    """Parse the command line of `process`; every process takes `--home`."""
    restart_if_unsuitable()
    parser = parser or argparse.ArgumentParser(prog=process)
    parser.add_argument("--home", help="the folder of the lab; without it the platform's usual places are used")
    add_log_format(parser)
    args = parser.parse_args()
    if args.log_format:
        logs.set_up(process, args.log_format)
    locations = locate(args.home)
    locations.create()
    return args, locations


def add_log_format(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how a process logs."""
    parser.add_argument(
        "--log-format", choices=logs.FORMATS, help=f"how to log (default: as ${logs.VARIABLE} says, else text)"
    )


def announce(process: str, alive: Callable[[], bool] = lambda: True, /, **facts: object) -> None:
    """Print the line that says the process is ready, and give signs of life from now on, where there is no loop while `alive`."""
    print(json.dumps({"ready": process, "pid": os.getpid(), **facts}), flush=True)
    heartbeat.start(alive)


def run(process: str, main: Callable[[], None]) -> None:
    """Run a process's main function; a LabError ends it with its exit code, its message in the log, and for the
    supervisor on stdout."""
    os.umask(0o077)
    logs.set_up(process)
    try:
        main()
    except LabError as error:
        logging.getLogger(process).error("%s", error)
        if heartbeat.VARIABLE in os.environ:
            print(json.dumps({"failed": asdict(describe(error))}), flush=True)
        raise SystemExit(error.exit_code) from None
