"""`python -m medkg_lab.broker.embedded --data DIR --port N`: the embedded broker as a process.

It prints one line of JSON on stdout when clients can connect and logs to stderr. SIGTERM makes it finish, write its
checkpoints and exit with 0; exit code 78 means that starting it again cannot help, any other that the reason is on stderr.
"""

import argparse
import asyncio
import ipaddress
import os
import resource
from pathlib import Path

from medkg_lab import process
from medkg_lab.broker.embedded.errors import NotLoopback
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.server import Settings, lock_folder, run


def main(arguments: list[str] | None = None) -> None:
    """Run the broker with the command line `arguments`. Raises LabError."""
    settings = _parse(arguments)
    os.umask(0o077)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    _check_loopback(settings.host)
    with lock_folder(settings.data):
        asyncio.run(run(settings, lambda facts: process.announce("broker", **facts)))


def _parse(arguments: list[str] | None) -> Settings:
    limits = Limits()
    parser = argparse.ArgumentParser(
        "python -m medkg_lab.broker.embedded", description="The lab's Kafka-protocol broker."
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the logs and offsets; made when it is not there"
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--max-request-bytes", type=int, default=limits.request_bytes, help="the largest request taken")
    parser.add_argument(
        "--min-free-bytes", type=int, default=limits.free_bytes, help="disk space that producing leaves"
    )
    parser.add_argument(
        "--housekeeping-seconds", type=float, default=limits.housekeeping_seconds, help="pause between checks"
    )
    given = parser.parse_args(arguments)
    chosen = Limits(
        request_bytes=given.max_request_bytes,
        free_bytes=given.min_free_bytes,
        housekeeping_seconds=given.housekeeping_seconds,
    )
    return Settings(given.data, given.host, given.port, chosen)


def _check_loopback(host: str) -> None:
    try:
        safe = ipaddress.ip_address(host).is_loopback
    except ValueError:
        safe = host == "localhost"
    if not safe:
        raise NotLoopback(host=host)


if __name__ == "__main__":
    process.run("broker", main)
