"""Profiles: which implementation serves each stage type. A profile is chosen by a person and never changes by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from medkg_lab.errors import LabError
from medkg_lab.models.documents import Frozen
from medkg_lab.stages.contracts import StageType
from medkg_lab.topology.errors import Problem, ProfileInvalid
from medkg_lab.topology.models import SHARED_NAME, StageDefinition
from medkg_lab.topology.rules import implementation_problems
from medkg_lab.topology.schema import check
from medkg_lab.yaml_source import Source, parse, read

LOOPBACK_URL = r"^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s]*)?$"


class StageChoice(Frozen):
    """An implementation by name and its options."""

    model_config = ConfigDict(populate_by_name=True)

    implementation: str = Field(min_length=1, max_length=128)
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class PdfChoice(Frozen):
    """How PDFs become text; what is None is left to the lab's settings. `base_url` and `tier` are a MinerU server's."""

    tool: Literal["docvortex", "mineru"] | None = None
    base_url: str | None = Field(default=None, pattern=LOOPBACK_URL, max_length=1024)
    tier: Literal["flash", "standard"] | None = None


class Server(Frozen):
    """A server that the profile needs and the lab runs: ready once `ready_url` answers 200.

    `gpu_memory_mib` is the free GPU memory in MiB that must be there before it starts.
    """

    name: str = Field(pattern=SHARED_NAME, max_length=32)
    command: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(min_length=1, max_length=100)
    ready_url: str = Field(pattern=LOOPBACK_URL, max_length=1024)
    ready_seconds: float = Field(default=300.0, ge=1.0, le=3600.0)
    gpu_memory_mib: int = Field(default=0, ge=0, le=1024 * 1024)


class NothingChosen(LabError):
    """The stage {stage!r} has the type {type} of a plug-in, and the profile {profile} chooses no implementation for it. Name one
    in the pipeline with `implementation:`, or in the profile."""

    failure_kind: ClassVar[str] = "not_configured"


class Profile(Frozen):
    """A choice for every stage type, for PDFs, and the servers that these need."""

    name: str = Field(pattern=SHARED_NAME, max_length=64)
    description: str = Field(default="", max_length=4096)
    stages: dict[StageType, StageChoice]
    pdf: PdfChoice = PdfChoice()
    servers: tuple[Server, ...] = Field(default=(), max_length=16)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := [kind for kind in StageType if kind is not StageType.GATE and kind not in self.stages]:
            raise ValueError(f"the profile chooses nothing for {', '.join(missing)}")
        if StageType.GATE in self.stages:
            raise ValueError("nothing executes at a Gate, so a profile chooses nothing for it")
        return self

    def choice(self, stage: StageDefinition) -> StageChoice:
        """What serves `stage`: the topology's own choice if it makes one, else this profile's for the stage's type."""
        if stage.implementation:
            return StageChoice(implementation=stage.implementation, with_=stage.with_)
        if stage.type not in self.stages:
            raise NothingChosen(stage=stage.name, type=stage.type, profile=self.name)
        return self.stages[stage.type]


_PROFILE = TypeAdapter(Profile)


def load_profile(given: Path | str, *, file: str = "<text>") -> Profile:
    """Load a profile from a file (a Path) or from YAML text, which problems then call `file`.

    Its implementations must exist and take its options. Raises ProfileInvalid with every problem.
    """
    source = read(given) if isinstance(given, Path) else parse(given, file)
    if source.problems:
        raise ProfileInvalid(source.file, source.problems)
    checked = check(source, _PROFILE, source.value, ())
    problems = [*checked.problems, *(_choice_problems(source, checked.model) if checked.model else ())]
    if checked.model is None or problems:
        raise ProfileInvalid(source.file, problems)
    return checked.model


def _choice_problems(source: Source, profile: Profile) -> Iterator[Problem]:
    for kind, choice in profile.stages.items():
        yield from implementation_problems(source, ("stages", kind), kind, kind, choice.implementation, choice.with_)
