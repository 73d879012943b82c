"""Stage implementations by name: what a topology or profile may ask for.

An implementation is published under the entry-point group `medkg_lab.stages`; a name in YAML is looked up there and is never an
import path. The lab's own implementations are registered the same way as anyone's.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from medkg_lab import plugins
from medkg_lab.errors import LabError
from medkg_lab.models.stored import Stored
from medkg_lab.stages.contracts import Lane, Stage, StageType
from medkg_lab.validation import first_flaw

GROUP = "medkg_lab.stages"


class UnknownImplementation(LabError):
    """There is no stage implementation called {name!r}. Did you mean {suggestion}? `medkg-lab pipeline list` shows all."""


class BrokenImplementation(LabError):
    """The implementation {name!r} cannot be loaded from {where}: {detail}. Reinstall the package that brings it."""


class WrongStageType(LabError):
    """The implementation {name!r} is a {actual}, but stage {stage!r} is a {expected}. Choose another implementation."""


class BadOptions(LabError):
    """The options of {name!r} are wrong: {detail}. The reference lists what it takes."""


class PackageMissing(LabError):
    """The implementation {name!r} needs the package {package}, which is not installed. Install it with `{install}` in the lab's
    environment, and retry the jobs."""

    failure_kind: ClassVar[str] = "not_configured"


class Options(BaseModel):
    """The base of every implementation's `with:` options: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class GpuNeed:
    """What a stage needs of a GPU before it may start, in MiB of memory.

    The memory must be free, unless it is `served`: then a server takes it, and may have taken it already. `device` is the number
    of the one GPU that will do.
    """

    memory_mib: int
    served: bool = False
    device: int | None = None


@dataclass(frozen=True)
class Package:
    """A package that the lab itself can do without: the `module` that it brings, and the command that installs it.

    The module `instead` does as well.
    """

    module: str
    install: str
    instead: str | None = None

    def is_installed(self) -> bool:
        """Whether its module can be imported; nothing is."""
        return any(find_spec(module) is not None for module in (self.module, self.instead) if module is not None)


class KnowledgeStore(Protocol):
    """Where passages and the graph are put, as the knowledge process's client offers it."""

    def index(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> Sequence[Stored | LabError]: ...
    def graph(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> Sequence[Stored | LabError]: ...
    def vector_model(self) -> str | None: ...


@dataclass(frozen=True)
class Resources:
    """What the process offers to the stages it builds: folders and sockets, never other stages.

    `knowledge` is the store itself, in a process that runs without the others; else it is behind `knowledge_socket`, and waited
    for up to `patience` seconds while it restarts.
    """

    cache: Path
    knowledge_socket: Path | None = None
    knowledge: "KnowledgeStore | None" = None
    allowed_roots: tuple[Path, ...] = ()
    vocabularies: Path | None = None
    models: Path | None = None
    source_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    patience: float = 0.0


@dataclass(frozen=True)
class Implementation:
    """One way to do a stage type: `build` makes the stage, once per process, from resources and validated options.

    `probe` is called with the options before that: it raises unless what the stage needs outside of the lab is there.
    `gpu` is what every such stage needs, `also_gpu` names, by the options, a further need. `packages` are those beyond the lab's
    own that it cannot do without.
    """

    name: str
    stage_type: StageType
    summary: str
    build: Callable[[Resources, Any], Stage]
    options: type[Options] = Options
    lane: Lane = Lane.COMPUTE
    gpu: GpuNeed | None = None
    device: str = "cpu"
    probe: Callable[[Any], None] | None = None
    also_gpu: Callable[[Any], GpuNeed | None] = lambda _: None
    packages: tuple[Package, ...] = ()

    def require_packages(self) -> None:
        """Raise PackageMissing for the first package that is not installed."""
        for package in self.packages:
            if not package.is_installed():
                raise PackageMissing(name=self.name, package=package.module, install=package.install)

    def needs(self, options: Any) -> list[GpuNeed]:
        """What a stage with these options needs of a GPU."""
        return [need for need in (self.gpu, self.also_gpu(options)) if need is not None]

    def parse_options(self, given: Mapping[str, object]) -> Options:
        """Validate `with:` options. Raises BadOptions."""
        try:
            return self.options.model_validate(dict(given))
        except ValidationError as error:
            raise BadOptions(name=self.name, detail=first_flaw(error.errors()).text("with")) from None


def names() -> tuple[str, ...]:
    """The names of all published implementations, without importing any."""
    return plugins.names(GROUP)


def implementations() -> Mapping[str, Implementation]:
    """All published implementations by name. This imports no heavy library: those load when a stage is built.

    Raises BrokenImplementation.
    """
    return {name: find(name) for name in names()}


@cache
def find(name: str) -> Implementation:
    """The implementation called `name`. Raises UnknownImplementation with the nearest name, or BrokenImplementation."""
    point = plugins.points(GROUP).get(name)
    if point is None:
        near = difflib.get_close_matches(name, names(), n=1)
        raise UnknownImplementation(name=name, suggestion=repr(near[0]) if near else f"one of {', '.join(names())}")
    try:
        loaded = point.load()
    # Whatever a third party's module raises on import must not take down the process that only lists what there is.
    except Exception as error:
        raise BrokenImplementation(name=name, where=point.value, detail=f"{type(error).__name__}: {error}") from error
    if not isinstance(loaded, Implementation):
        raise BrokenImplementation(name=name, where=point.value, detail=f"it is a {type(loaded).__name__}")
    return loaded
