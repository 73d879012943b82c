"""The TCP ports of a lab that starts: those that the settings name, else those of the last time while they are free."""

from medkg_lab import ports, settings
from medkg_lab.locations import Locations
from medkg_lab.port_use import problem_with
from medkg_lab.ports import lab_ports
from medkg_lab.settings import Settings
from medkg_lab.supervisor.errors import PortTaken


def choose_ports(locations: Locations, chosen: Settings) -> list[str]:
    """Write down the lab's ports, and return a sentence for each that is another than before. Raises PortTaken."""
    given = {"dagster": chosen.ports.dagster}
    if chosen.broker.engine != "external":
        given["broker"] = chosen.ports.broker
    kept = lab_ports(locations)
    fixed = {name: port for name, port in given.items() if port is not None}
    for name, port in fixed.items():
        if problem := problem_with(port):
            path = settings.path(locations)
            raise PortTaken(port=port, setting=f"ports.{name}", path=path, detail=problem)
    notes, found = [], kept | fixed
    for name in given.keys() - fixed.keys():
        problem = problem_with(kept[name])
        if not problem and kept[name] not in fixed.values():
            continue
        found[name] = ports.free_port(*found.values())
        notes.append(
            f"Port {kept[name]} of {name} is not free any more ({problem or 'the settings give it to another'}), so it is "
            f"{found[name]} now. `ports.{name}` in settings.yaml fixes it."
        )
    if found != kept:
        ports.write_ports(locations, found)
    if chosen.broker.engine == "redpanda" and any(map(problem_with, ports.redpanda_ports(locations).values())):
        ports.renew_redpanda_ports(locations)
    return notes
