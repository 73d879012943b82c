"""The TCP ports of a lab that starts: those that the settings name, else those of the last time while they are free."""

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import asdict

from medkg_lab import ports, settings
from medkg_lab.broker.engine import kind
from medkg_lab.locations import Locations
from medkg_lab.port_use import problem_with
from medkg_lab.ports import lab_ports
from medkg_lab.settings import Settings
from medkg_lab.supervisor.errors import PortTaken

DAGSTER_PORT = 3000
"""Dagster's usual port: the first lab that finds it free has its pages there."""

_claimed: dict[int, socket.socket] = {}


def choose_ports(locations: Locations, chosen: Settings) -> list[str]:
    """Write down the lab's ports, and say which changed. Raises PortTaken, BadBrokerSetting."""
    given = {"dagster": chosen.ports.dagster}
    engine = kind(chosen.broker.engine)
    if engine.runs_here:
        given["broker"] = chosen.ports.broker
    is_first = not (locations.state / ports.PORTS).exists()
    kept = asdict(lab_ports(locations))
    fixed = {name: port for name, port in given.items() if port is not None}
    for name, port in fixed.items():
        if problem := problem_with(port):
            path = settings.path(locations)
            raise PortTaken(port=port, setting=f"ports.{name}", path=path, detail=problem)
    usual = {"dagster": DAGSTER_PORT} if is_first and _is_usual_port_free(fixed) else {}
    notes, found = [], kept | usual | fixed
    for name in given.keys() - fixed.keys() - usual.keys():
        problem = problem_with(kept[name]) or _other_claim(kept[name])
        if not problem and kept[name] not in fixed.values():
            continue
        found[name] = ports.free_port(*found.values())
        notes.append(
            f"Port {kept[name]} of {name} is not free any more ({problem or 'the settings give it to another'}), so it is "
            f"{found[name]} now. `ports.{name}` in settings.yaml fixes it."
        )
    if found != kept:
        ports.write_ports(locations, found)
    engine.before_start(locations)
    return notes


def _is_usual_port_free(fixed: Mapping[str, int]) -> bool:
    if "dagster" in fixed or DAGSTER_PORT in fixed.values():
        return False
    return not problem_with(DAGSTER_PORT) and not _other_claim(DAGSTER_PORT)


def _other_claim(port: int) -> str:
    """Why the usual port cannot be had although nobody listens there yet: two labs that start at once would both find it free.

    This process claims it by an abstract socket, which the kernel frees when the process ends.
    """
    if port != DAGSTER_PORT or port in _claimed:
        return ""
    claim = socket.socket(socket.AF_UNIX)
    with contextlib.ExitStack() as stack:
        stack.callback(claim.close)
        try:
            claim.bind(f"\0medkg-lab/port/{port}")
        except OSError:
            return "another lab is about to use it"
        stack.pop_all()
    _claimed[port] = claim
    return ""
