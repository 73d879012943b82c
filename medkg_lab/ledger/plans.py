"""What the ledger needs of a topology: which stages a segment runs, and where a job resumes."""

from collections.abc import Mapping
from dataclasses import dataclass

from medkg_lab.ledger.errors import UnknownDefinition, UnknownStage
from medkg_lab.ledger.state import Definition
from medkg_lab.stages.contracts import StageType
from medkg_lab.topology import graph, versions
from medkg_lab.topology.graph import Segment
from medkg_lab.topology.models import GateCondition


@dataclass(frozen=True, slots=True)
class Plan:
    """A topology cut into segments, for jobs of one kind (bytes known or not).

    `steps` is all stages and gates in order, each with the number of its segment.
    """

    pipeline: str
    version: str
    segments: tuple[Segment, ...]
    steps: Mapping[str, int]
    gates: Mapping[str, GateCondition]
    types: Mapping[str, StageType]

    def before(self, step: str) -> frozenset[str]:
        """The stages and gates that come before `step`. Raises UnknownStage."""
        names = list(self.steps)
        if step not in self.steps:
            raise UnknownStage(pipeline=self.pipeline, version=self.version, stage=step, stages=", ".join(names))
        return frozenset(names[: names.index(step)])

    def first_open(self, done: Mapping[str, object]) -> str:
        """The first step that is not done; the first of all when every one is."""
        return next((step for step in self.steps if step not in done), next(iter(self.steps)))


class Plans:
    """The plans of the registered topologies, each made once."""

    def __init__(self, definitions: Mapping[tuple[str, str, str], Definition]) -> None:
        self._definitions = definitions
        self._made: dict[tuple[str, str, bool], Plan] = {}

    def of(self, pipeline: str, version: str, offline: bool) -> Plan:
        """The plan of a pipeline's version. Raises UnknownDefinition."""
        key = (pipeline, version, offline)
        if key not in self._made:
            definition = self._definitions.get(("topology", pipeline, version))
            if definition is None:
                raise UnknownDefinition(kind="topology", name=pipeline, version=version)
            self._made[key] = plan_of(definition, offline)
        return self._made[key]


def plan_of(definition: Definition, offline: bool) -> Plan:
    """Cut the topology of `definition`."""
    topology = versions.from_json(definition.content)
    segments = graph.segments(topology, offline)
    steps: dict[str, int] = {}
    for segment in segments:
        steps |= dict.fromkeys(segment.stages, segment.index)
        if segment.gate:
            steps[segment.gate] = segment.index
    gates = {stage.name: stage.condition for stage in topology.stages if stage.is_gate and stage.condition}
    types = {stage.name: stage.type for stage in topology.stages}
    return Plan(definition.name, definition.version, segments, steps, gates, types)
