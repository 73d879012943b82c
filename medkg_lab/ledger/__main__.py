"""The ledger's process: `python -m medkg_lab.ledger --home DIR`."""

import argparse
import asyncio
import os
import signal

from medkg_lab import process
from medkg_lab.ledger.positions import OPTIONAL
from medkg_lab.ledger.rebuild import rebuild_if_wanted
from medkg_lab.ledger.server import Server

NAME = "ledgerd"


def main() -> None:
    """Serve the ledger of a home until SIGTERM. Raises Unstartable."""
    os.umask(0o077)
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument(
        "--reader",
        action="append",
        default=[],
        choices=OPTIONAL,
        help="an optional reader of the log that this lab has",
    )
    given, locations = process.arguments(NAME, parser)
    folder = locations.data / "ledger"
    folder.mkdir(mode=0o700, exist_ok=True)
    rebuild_if_wanted(folder)
    asyncio.run(_serve(Server(folder, locations.socket("ledger"), given.reader)))


async def _serve(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.run(lambda: process.announce(NAME))


if __name__ == "__main__":
    process.run(NAME, main)
