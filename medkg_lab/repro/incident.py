"""An incident in a home of its own: what an archive becomes when it is imported, and how it is read from there."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import yaml

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.locations import Locations
from medkg_lab.repro import content
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.errors import ArchiveRefused, HomeInUse, NoIncident, NotInArchive
from medkg_lab.repro.manifest import Manifest
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.models import Topology
from medkg_lab.topology.profiles import Profile

FOLDER = "repro"
_INCIDENT = "incident"
_RUNS = "runs"
WRITER = "repro"


def install(archive: Archive, locations: Locations) -> "Incident":
    """Put `archive` into the home at `locations`, which must not hold a lab yet. Raises HomeInUse and ArchiveRefused."""
    if (reason := content.objection(archive)) is not None:
        raise ArchiveRefused(path="the archive", reason=reason)
    for folder in (locations.data / "ledger", locations.data / FOLDER, locations.data / "artifacts"):
        if folder.exists() and any(folder.iterdir()):
            raise HomeInUse(home=locations.home, what=folder)
    for folder in (locations.config, locations.data / "artifacts", locations.state, locations.cache):
        _private(folder)
    _keep_blobs(archive, locations)
    target = locations.data / FOLDER / _INCIDENT
    temporary = target.with_name(f".{_INCIDENT}")
    for name, data in archive.members.items():
        if name.startswith(names.VOCABULARIES):
            _write(locations.data / name, data)
        elif not name.startswith(names.ARTIFACTS):
            _write(temporary / name, data)
    _write(temporary / names.MANIFEST, archive.manifest.encode())
    _write_settings(archive, locations)
    # The rename is what makes the import whole: before it there is no incident here.
    os.rename(temporary, target)
    return Incident(locations)


def _keep_blobs(archive: Archive, locations: Locations) -> None:
    store = ArtifactStore(locations.data / "artifacts", writer="import")
    try:
        store.put_many([data for name, data in archive.members.items() if name.startswith(names.ARTIFACTS)])
    finally:
        store.close()


def _write_settings(archive: Archive, locations: Locations) -> None:
    if names.SETTINGS in archive.members and not (locations.config / "settings.yaml").exists():
        values = orjson.loads(archive.members[names.SETTINGS])
        kept = {name: values[name] for name in ("profile", "sources", "pdf") if values.get(name)}
        _write(locations.config / "settings.yaml", yaml.safe_dump(kept).encode())


def _private(folder: Path) -> None:
    """Make `folder` and what is above it where they are missing, for their owner alone."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir(exist_ok=True, mode=0o700)


def _write(path: Path, data: bytes) -> None:
    _private(path.parent)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)


@dataclass(frozen=True)
class Definition:
    """A version of a definition; `seq` is when the ledger got to know it."""

    kind: str
    name: str
    version: str
    seq: int
    content: str


class Incident:
    """The incident that was imported into the home at `locations`. Raises NoIncident."""

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self.folder = locations.data / FOLDER / _INCIDENT
        if not (self.folder / names.MANIFEST).is_file():
            raise NoIncident(home=locations.home)
        self.manifest = Manifest.model_validate_json((self.folder / names.MANIFEST).read_bytes())

    @property
    def runs(self) -> Path:
        """The folder of the runs."""
        return self.locations.data / FOLDER / _RUNS

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The events of the jobs, in order."""
        return list(self._lines(names.EVENTS))

    @cached_property
    def exchanges(self) -> list[dict[str, Any]]:
        """The recorded exchanges, in the order in which they were told of."""
        return list(self._lines(names.EXCHANGES))

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the stages ran by."""
        path = self.folder / names.SETTINGS
        found: dict[str, Any] = orjson.loads(path.read_bytes()) if path.is_file() else {}
        return found

    @cached_property
    def definitions(self) -> list[Definition]:
        """Every version of the topologies, policies and profiles, oldest first."""
        found = []
        for path in sorted((self.folder / "definitions").glob("*/*.json")):
            value = orjson.loads(path.read_bytes())
            found.append(Definition(path.parent.name, **value))
        return sorted(found, key=lambda one: (one.seq, one.kind, one.name))

    def versions(self, kind: str, name: str | None = None) -> list[Definition]:
        """The versions of one kind, oldest first."""
        return [one for one in self.definitions if one.kind == kind and name in (None, one.name)]

    def topology(self, name: str, version: str) -> Topology:
        """An archived topology. Raises NotInArchive."""
        return Topology.model_validate_json(self._definition("topology", name, version).content)

    def policies(self, version: str | None) -> Policies:
        """The archived policies; the newest when no version is named. Raises NotInArchive."""
        return Policies.model_validate_json(self._definition("policies", None, version).content)

    def profile(self, name: str | None, version: str | None) -> Profile:
        """The archived profile; the newest when no version is named. Raises NotInArchive."""
        return Profile.model_validate_json(self._definition("profile", name, version).content)

    def _definition(self, kind: str, name: str | None, version: str | None) -> Definition:
        fitting = [one for one in self.versions(kind, name) if version in (None, one.version)]
        if not fitting:
            raise NotInArchive(what=f"{kind} {name or ''} {version or ''}".strip())
        return fitting[-1]

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        path = self.folder / name
        if path.is_file():
            yield from map(orjson.loads, path.read_bytes().splitlines())
