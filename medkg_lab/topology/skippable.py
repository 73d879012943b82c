"""What a pipeline may lack at run time: a condition skips a stage, and what it would have made is missing. Pure."""

from collections.abc import Iterator

from medkg_lab.stages.kinds import INPUT_KINDS, OUTPUT_KIND
from medkg_lab.topology import graph
from medkg_lab.topology.models import StageDefinition, Topology


def warnings(topology: Topology) -> list[str]:
    """A sentence for each stage whose input is only made by stages that may be skipped when it is not."""
    stages = {stage.name: stage for stage in topology.stages}
    before = graph.ancestors(graph.dependencies(topology.stages))
    return [
        warning
        for stage in topology.stages
        for kind in INPUT_KINDS.get(stage.type, ())
        for warning in _about(stage, kind, [stages[name] for name in before[stage.name]])
    ]


def _about(stage: StageDefinition, kind: str, before: list[StageDefinition]) -> Iterator[str]:
    makers = [one for one in before if not one.is_gate and OUTPUT_KIND[one.type] == kind]
    if not makers or any(one.condition in (None, stage.condition) for one in makers):
        return
    for maker in sorted(makers, key=lambda one: one.name)[:1]:
        assert maker.condition is not None
        when = f"{maker.condition.ledger_field} = {str(maker.condition.equals).lower()}"
        yield (
            f"{stage.name!r} needs the {kind} of {maker.name!r}, which is skipped unless {when}: the job then fails. "
            f"Give {stage.name!r} the same condition."
        )
