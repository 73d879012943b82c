"""Clients that are not Python, fetched into a folder that goes afterwards."""

import shutil
import subprocess
from pathlib import Path

from tests.brokers import LAB, BrokerProcess

CLIENTS = Path(__file__).parent / "clients"
COUNT = 5
WRITTEN = "v0 v1 v2 v3 v4"
PACKAGES = ("@platformatic/kafka@2", "kafkajs@2", "node@22")
"""The first needs a newer node than many systems have, so that comes along."""


class NotFetched(Exception):
    """A client could not be had, and why."""


def needed(*programs: str) -> None:
    """Raise NotFetched when one of `programs` is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise NotFetched(f"{program} is not installed")


def fetch(folder: Path, *command: str) -> None:
    """Run a command that fetches something into `folder`. Raises NotFetched."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
    if done.returncode:
        raise NotFetched(f"{command[0]} fetched nothing: {done.stderr[-300:]} {done.stdout[-300:]}")


def fetch_node(folder: Path) -> None:
    """Put the clients for node, and node, into `folder`. Raises NotFetched."""
    needed("node", "npm")
    fetch(folder, "npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES)
    for script in CLIENTS.glob("*.mjs"):
        shutil.copy(script, folder)


def fetch_java(folder: Path) -> None:
    """Put the client for Java into `folder`. Raises NotFetched."""
    needed("java", "mvn")
    for name in ("pom.xml", "Client.java"):
        shutil.copy(CLIENTS / name, folder)
    fetch(folder, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib")


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a client in its folder."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def run_node(
    folder: Path, client: str, broker: BrokerProcess, account: str, topic: str
) -> "subprocess.CompletedProcess[str]":
    """Run one of the clients for node."""
    login = (str(broker.bootstrap), account, broker.passwords[account])
    return run(folder, str(folder / "node_modules/.bin/node"), f"{client}.mjs", *login, topic, str(COUNT))


def platformatic(broker: BrokerProcess, topic: str, scratch: Path) -> str | None:
    """What @platformatic/kafka reads in a group after it wrote it; None where the client cannot be had."""
    folder = scratch / "node"
    folder.mkdir()
    try:
        fetch_node(folder)
    except NotFetched:
        return None
    done = run_node(folder, "platformatic", broker, LAB, topic)
    return done.stdout.strip() if done.returncode == 0 else done.stderr[-300:]
