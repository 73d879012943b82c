"""All definitions of a lab by name: the bundled ones, overlaid by the files in its configuration folder."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from medkg_lab.locations import Locations
from medkg_lab.models.events import PDF_IR_READY
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology import bundled
from medkg_lab.topology.errors import (
    NoPipelineForSource,
    PipelineAmbiguous,
    Problem,
    TopologyInvalid,
    UnknownPipeline,
    UnknownProfile,
)
from medkg_lab.topology.loader import SHARED_FOLDER, load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.policy_files import load_policies
from medkg_lab.topology.profiles import Profile, load_profile
from medkg_lab.topology.schema import near

PDF = "application/pdf"
_FOLDERS = ("pipelines", f"pipelines/{SHARED_FOLDER}", "profiles", "")

T = TypeVar("T")
Stamp = tuple[tuple[str, int, int], ...]


class Catalog:
    """Definitions by name, read again when a file was added, removed or changed.

    A file of the configuration folder replaces the bundled one of the same file name; a policy replaces the bundled policy of
    the same name. A replaced file that is wrong is an error and never falls back to the bundled one.
    """

    def __init__(self, locations: Locations) -> None:
        self._own = locations.config
        self._roots = (bundled.folder(), locations.config)
        self._stamp: Stamp = ()
        self._kept: dict[tuple[str, str], Any] = {}

    def topology(self, name: str) -> Topology:
        """The pipeline called `name`. Raises UnknownPipeline, TopologyInvalid or PolicyFileInvalid."""
        self._refresh()
        return self._topology(name)

    def topologies(self) -> dict[str, Topology]:
        """Every valid pipeline by name; what is wrong with the others, `invalid` says."""
        self._refresh()
        return {name: found for name, found in self._all() if isinstance(found, Topology)}

    def invalid(self) -> dict[str, TopologyInvalid]:
        """The pipelines that cannot be used, with the reasons."""
        self._refresh()
        return {name: found for name, found in self._all() if isinstance(found, TopologyInvalid)}

    def path(self, pipeline: str) -> Path:
        """The file that defines `pipeline`. Raises UnknownPipeline."""
        self._refresh()
        return self._path(pipeline)

    def policies(self) -> Policies:
        """All policies. Raises PolicyFileInvalid."""
        self._refresh()
        return self._cached("policies", "", self._load_policies)

    def profile(self, name: str) -> Profile:
        """The profile called `name`. Raises UnknownProfile or ProfileInvalid."""
        self._refresh()
        paths = self._files("profiles")
        if name not in paths:
            folder = self._own / "profiles"
            raise UnknownProfile(name=name, suggestion=near(name, paths) or "there are others", folder=folder)
        return self._cached("profile", name, lambda: load_profile(paths[name]))

    def profiles(self) -> tuple[str, ...]:
        """The names of all profiles."""
        self._refresh()
        return tuple(self._files("profiles"))

    def pipeline_for(self, source: str, media_type: str | None = None) -> str:
        """The pipeline whose `applicable_sources` name `source`.

        A PDF from any source goes to a pipeline with a gate on `pdf_ir_ready`, one that names the source if there is one. Files
        of the configuration folder win over bundled ones. Raises NoPipelineForSource or PipelineAmbiguous.
        """
        known = self.topologies()
        fitting = [name for name, topology in known.items() if source in topology.applicable_sources]
        if media_type == PDF:
            reading = [name for name, topology in known.items() if _reads_pdf(topology)]
            fitting = [name for name in reading if name in fitting] or reading or fitting
        own = [name for name in fitting if self._path(name).is_relative_to(self._own)]
        match own or fitting:
            case [name]:
                return name
            case []:
                raise NoPipelineForSource(source=source, known=", ".join(known))
            case several:
                raise PipelineAmbiguous(source=source, names=", ".join(several))

    def _topology(self, name: str) -> Topology:
        path = self._path(name)
        found = self._cached("pipeline", name, lambda: self._load_topology(path))
        if isinstance(found, TopologyInvalid):
            raise found
        return found

    def _path(self, name: str) -> Path:
        paths = self._files("pipelines")
        if name not in paths:
            raise UnknownPipeline(name=name, suggestion=near(name, paths) or "there are others")
        return paths[name]

    def _all(self) -> Iterator[tuple[str, Topology | TopologyInvalid]]:
        for name in self._files("pipelines"):
            try:
                yield name, self._topology(name)
            except TopologyInvalid as error:
                yield name, error

    def _load_topology(self, path: Path) -> Topology | TopologyInvalid:
        shared = (self._own / "pipelines" / SHARED_FOLDER,)
        policies = self._cached("policies", "", self._load_policies)
        try:
            topology = load_topology(path, policies=policies.names, shared=shared)
        except TopologyInvalid as error:
            return error
        if topology.name != path.stem:
            message = f"the file is called {path.stem!r}, the pipeline {topology.name!r}"
            return TopologyInvalid(str(path), [Problem(str(path), 1, 1, "name", message, "give both the same name")])
        return topology

    def _load_policies(self) -> Policies:
        bundled_policies = load_policies(self._roots[0] / "policies.yaml")
        own = self._own / "policies.yaml"
        return bundled_policies.overlaid(load_policies(own)) if own.exists() else bundled_policies

    def _files(self, folder: str) -> dict[str, Path]:
        """The files of a folder by stem; those of the configuration folder hide the bundled ones."""
        return self._cached("files", folder, lambda: self._list(folder))

    def _list(self, folder: str) -> dict[str, Path]:
        found = {path.stem: path for root in self._roots for path in (root / folder).glob("*.yaml")}
        return dict(sorted(found.items()))

    def _refresh(self) -> None:
        stamp = tuple(sorted(self._stamps()))
        if stamp != self._stamp:
            self._stamp, self._kept = stamp, {}

    def _cached(self, kind: str, name: str, load: Callable[[], T]) -> T:
        """What `load` gave, until a file changes."""
        kept = self._kept
        if (kind, name) not in kept:
            kept[kind, name] = load()
        found: T = kept[kind, name]
        return found

    def _stamps(self) -> Iterator[tuple[str, int, int]]:
        for root in self._roots:
            for folder in _FOLDERS:
                try:
                    with os.scandir(root / folder) as entries:
                        files = [(entry.path, entry.stat()) for entry in entries if entry.name.endswith(".yaml")]
                except FileNotFoundError:
                    continue
                yield from ((path, found.st_mtime_ns, found.st_size) for path, found in files)


def _reads_pdf(topology: Topology) -> bool:
    return any(
        stage.is_gate and stage.condition is not None and stage.condition.ledger_field == PDF_IR_READY
        for stage in topology.stages
    )
