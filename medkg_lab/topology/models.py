"""A pipeline's topology as frozen data: the form of the file and the form it is resolved to."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from medkg_lab.models.documents import Frozen
from medkg_lab.stages.contracts import StageType

STAGE_NAME = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
"""Single underscores only: a double one separates the pipeline's name from the stage's in names built of both."""
PIPELINE_NAME = r"^[a-z]+(-[a-z]+)*$"
SHARED_NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
FIELD_NAME = r"^[a-z_]+$"
SOURCE_NAME = r"^[a-z][a-z0-9-]{0,63}$"
MAX_STAGES = 200

StageName = Annotated[str, Field(pattern=STAGE_NAME, max_length=64)]


class GateCondition(Frozen):
    """Holds when the job's ledger field has exactly this value."""

    ledger_field: str = Field(pattern=FIELD_NAME, max_length=64)
    equals: bool | int | str


class _Dependent(Frozen):
    depends_on: tuple[StageName, ...] = Field(default=(), max_length=MAX_STAGES)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(self.depends_on) != len(set(self.depends_on)):
            raise ValueError("depends_on names a stage twice")
        return self


class StageDefinition(_Dependent):
    """A stage or gate of a pipeline.

    `policy` names a resilience policy. `condition` holds a gate shut, or skips a stage, until it is met. `resume_stage` belongs
    to gates alone. `implementation` and `with` choose another implementation than the profile's, with options.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: StageName
    type: StageType
    policy: str = Field(default="default", pattern=SHARED_NAME, max_length=64)
    condition: GateCondition | None = None
    resume_stage: StageName | None = None
    implementation: str | None = Field(default=None, max_length=128)
    with_: dict[str, object] = Field(default_factory=dict, alias="with")

    @property
    def is_gate(self) -> bool:
        """Whether nothing executes here and the job waits instead."""
        return self.type is StageType.GATE


class SharedSequence(_Dependent):
    """Takes in the stages of `pipelines/shared/<use>.yaml`; those of them without dependencies get this one's."""

    use: str = Field(pattern=SHARED_NAME, max_length=64)


def _form(entry: Any) -> str:
    uses = "use" in entry if isinstance(entry, dict) else isinstance(entry, SharedSequence)
    return "shared" if uses else "stage"


StageEntry = Annotated[
    Annotated[StageDefinition, Tag("stage")] | Annotated[SharedSequence, Tag("shared")], Discriminator(_form)
]


class TopologyHead(Frozen):
    """What a pipeline says of itself: `applicable_sources` are those whose documents go through it when no pipeline is named."""

    version: str = Field(pattern=r"^\d+\.\d+$", max_length=32)
    name: str = Field(pattern=PIPELINE_NAME, max_length=64)
    description: str = Field(default="", max_length=4096)
    applicable_sources: tuple[Annotated[str, Field(pattern=SOURCE_NAME)], ...] = Field(default=(), max_length=256)


class TopologyFile(TopologyHead):
    """A pipeline as its YAML file writes it."""

    stages: tuple[StageEntry, ...] = Field(min_length=1, max_length=MAX_STAGES)


class Topology(TopologyHead):
    """A pipeline with shared sequences taken in and implied dependencies written out: what jobs run on."""

    stages: tuple[StageDefinition, ...] = Field(min_length=1)

    def stage(self, name: str) -> StageDefinition:
        """The stage called `name`. Raises KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)
