"""An incident in a home of its own: what an archive becomes when it is imported, and how it is read from there."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import yaml
from pydantic import ValidationError

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.locations import Locations
from medkg_lab.models.event_codec import from_json
from medkg_lab.models.events import Event
from medkg_lab.repro import content
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.errors import ArchiveRefused, HomeInUse, IncidentDamaged, NoIncident, NotInArchive
from medkg_lab.repro.manifest import FileEntry, Manifest, ModelEntry
from medkg_lab.resilience.policies import Policies
from medkg_lab.stages.embed import own_models
from medkg_lab.topology.models import Topology
from medkg_lab.topology.profiles import Profile


# Files put into a home, all of them or none.
class AtomicInstall:
    """Inside the block, folders and files are made for their owner alone; when it ends by an exception they are gone again."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for path in reversed(self._made):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def folder(self, path: Path) -> None:
        """Make `path` and what is above it where they are missing; what comes to lie in them counts as placed too."""
        for each in (*reversed(path.parents), path):
            if not each.exists():
                self._made.append(each)
                each.mkdir(mode=0o700, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Write a new file."""
        self.folder(path.parent)
        self._made.append(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)


FOLDER = "repro"
_INCIDENT = "incident"
_RUNS = "runs"
WRITER = "repro"


def install(archive: Archive, locations: Locations) -> "Incident":
    """Put `archive` into the home at `locations`, which must not hold a lab yet, completely or not at all.

    Raises HomeInUse, ArchiveRefused and OSError.
    """
    if (reason := content.objection(archive)) is not None:
        raise ArchiveRefused(path="the archive", reason=reason)
    for folder in (locations.data / "ledger", locations.data / FOLDER, locations.data / "artifacts"):
        if folder.exists() and any(folder.iterdir()):
            raise HomeInUse(home=locations.home, what=folder)
    with AtomicInstall() as placing:
        for folder in (locations.config, locations.state, locations.cache):
            placing.folder(folder)
        _store_blobs(archive, locations, placing)
        target = locations.data / FOLDER / _INCIDENT
        temporary = target.with_name(f".{_INCIDENT}")
        for name, data in archive.members.items():
            if name.startswith(names.VOCABULARIES):
                placing.write(locations.data / name, data)
            elif not name.startswith(names.ARTIFACTS):
                placing.write(temporary / name, data)
        placing.write(temporary / names.MANIFEST, archive.manifest.encode())
        _write_settings(archive, locations, placing)
        # The rename is what makes the import whole: before it there is no incident here.
        os.rename(temporary, target)
    return Incident(locations)


def _store_blobs(archive: Archive, locations: Locations, placing: AtomicInstall) -> None:
    folder = locations.data / "artifacts"
    if folder.exists():
        folder.rmdir()  # so that it counts as placed, with all that the store makes in it
    placing.folder(folder)
    store = ArtifactStore(folder, writer="import")
    try:
        store.put_many([data for name, data in archive.members.items() if name.startswith(names.ARTIFACTS)])
    finally:
        store.close()


def _write_settings(archive: Archive, locations: Locations, placing: AtomicInstall) -> None:
    if names.SETTINGS in archive.members and not (locations.config / "settings.yaml").exists():
        values = orjson.loads(archive.members[names.SETTINGS])
        kept = {name: values[name] for name in ("profile", "sources", "pdf") if values.get(name)}
        placing.write(locations.config / "settings.yaml", yaml.safe_dump(kept).encode())


@dataclass(frozen=True)
class Definition:
    """A version of a definition; `seq` is when the ledger got to know it."""

    kind: str
    name: str
    version: str
    seq: int
    content: str


class Incident:
    """The incident that was imported into the home at `locations`. Raises NoIncident and IncidentDamaged."""

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self.folder = locations.data / FOLDER / _INCIDENT
        if not (self.folder / names.MANIFEST).is_file():
            raise NoIncident(home=locations.home)
        try:
            self.manifest = Manifest.model_validate_json((self.folder / names.MANIFEST).read_bytes())
        except ValidationError:
            raise IncidentDamaged(home=locations.home, what=names.MANIFEST) from None
        self._check()

    def _check(self) -> None:
        """See that every file and artifact is as it was imported: what is wrong here would show as a divergence."""
        store = ArtifactStore(self.locations.data / "artifacts")
        try:
            for name, entry in self.manifest.files.items():
                if not (store.has(entry.sha256) if name.startswith(names.ARTIFACTS) else self._is_whole(name, entry)):
                    raise IncidentDamaged(home=self.locations.home, what=name)
        finally:
            store.close()

    def _is_whole(self, name: str, entry: FileEntry) -> bool:
        path = (self.locations.data if name.startswith(names.VOCABULARIES) else self.folder) / name
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256

    def models_to_bring(self) -> tuple[ModelEntry, ...]:
        """The models that the jobs' vectors were made with and that this home does not have."""
        folder = self.locations.data / own_models.FOLDER
        return tuple(one for one in self.manifest.models if not own_models.has(folder, one.model))

    @property
    def runs(self) -> Path:
        """The folder of the runs."""
        return self.locations.data / FOLDER / _RUNS

    @cached_property
    def events(self) -> list[Event]:
        """The events of the jobs, in order."""
        return list(map(from_json, self._lines(names.EVENTS)))

    @cached_property
    def exchanges(self) -> list[dict[str, object]]:
        """The recorded exchanges, in the order in which they were told of."""
        return list(self._lines(names.EXCHANGES))

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the stages ran by."""
        path = self.folder / names.SETTINGS
        found: dict[str, object] = orjson.loads(path.read_bytes()) if path.is_file() else {}
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

    def _lines(self, name: str) -> Iterator[dict[str, object]]:
        path = self.folder / name
        if path.is_file():
            yield from map(orjson.loads, path.read_bytes().splitlines())
