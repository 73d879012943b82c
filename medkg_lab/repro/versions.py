"""Definitions to run on, by the version that the archive knows or by a file."""

from collections.abc import Sequence
from pathlib import Path

from medkg_lab.repro.errors import NotInArchive
from medkg_lab.repro.incident import Incident
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.policy_files import load_policies


def topology(incident: Incident, named: str) -> Topology:
    """A topology by archived version or file. Raises NotInArchive and TopologyInvalid."""
    if Path(named).is_file():
        return load_topology(Path(named), policies=incident.policies(None).names)
    for one in incident.versions("topology"):
        if named in (one.version, one.version.partition("+")[2]):
            return incident.topology(one.name, one.version)
    raise NotInArchive(what=f"a topology of version {named}")


def topologies(incident: Incident, named: Sequence[str]) -> dict[str, Topology]:
    """Topologies by their pipelines' names. Raises as `topology`."""
    found = [topology(incident, one) for one in named]
    return {one.name: one for one in found}


def policies(incident: Incident, named: str) -> Policies:
    """Policies by archived version or file; a file's add to the archive's newest. Raises NotInArchive and PolicyFileInvalid."""
    if Path(named).is_file():
        return incident.policies(None).overlaid(load_policies(Path(named)))
    return incident.policies(named)
