"""The TCP ports of a lab on the loopback address, kept between its starts."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.files import replace_private, write_private
from medkg_lab.locations import Locations

PORTS = "ports.json"
"""Where in the state folder the ports of the last start are kept."""
REDPANDA_PORTS = "redpanda-ports.json"
"""Where in the state folder Redpanda's further ports are kept."""


@dataclass(frozen=True, slots=True)
class LabPorts:
    """The TCP ports of a lab: its broker's, and that of Dagster's pages."""

    broker: int
    dagster: int


@dataclass(frozen=True, slots=True)
class RedpandaPorts:
    """The further TCP ports of a Redpanda."""

    rpc: int
    admin: int


def lab_ports(locations: Locations) -> LabPorts:
    """The ports of this lab: those of its last start, else free ones that are chosen now and kept for it."""
    return LabPorts(**_ports(locations.state / PORTS, LabPorts.__slots__))


def write_ports(locations: Locations, chosen: dict[str, int]) -> None:
    """Keep the ports that a lab starts with."""
    replace_private(locations.state / PORTS, json.dumps(chosen))


def redpanda_ports(locations: Locations) -> RedpandaPorts:
    """The further ports that a Redpanda of this lab needs, chosen once."""
    return RedpandaPorts(**_ports(locations.state / REDPANDA_PORTS, RedpandaPorts.__slots__))


def renew_redpanda_ports(locations: Locations) -> None:
    """Choose Redpanda's further ports anew."""
    (locations.state / REDPANDA_PORTS).unlink(missing_ok=True)
    redpanda_ports(locations)


def _ports(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    try:
        kept = json.loads(path.read_text())
        return {name: int(kept[name]) for name in names}
    except FileNotFoundError:
        found: list[int] = []
        for _ in names:
            found.append(free_port(*found))
        write_private(path, json.dumps(dict(zip(names, found, strict=True))))
    except (ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)  # damaged: addresses change, and nothing else depends on it
    return _ports(path, names)


def free_port(*but: int) -> int:
    """A port on the loopback address that nothing listens on now, other than those given."""
    while True:
        with socket.socket() as tried:
            tried.bind(("127.0.0.1", 0))
            port = int(tried.getsockname()[1])
        if port not in but:
            return port
