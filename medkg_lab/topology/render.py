"""A topology as plain text."""

from collections.abc import Iterator

from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.kinds import INPUT_KINDS, OUTPUT_KIND
from medkg_lab.topology import graph
from medkg_lab.topology.graph import Segment, segments
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.versions import version_of


# What a pipeline may lack at run time: a condition skips a stage, and what it would have made is missing. Pure.
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


def render_text(topology: Topology) -> str:
    """The pipeline in the order of execution, one stage a line, cut into its segments.

    A stage that follows more, or something else, than the stage on the line above says so.
    """
    lines = [f"{topology.name} {version_of(topology)}"]
    if topology.description:
        lines.append(topology.description)
    if topology.applicable_sources:
        lines.append(f"sources: {', '.join(topology.applicable_sources)}")
    width = max(len(stage.name) for stage in topology.stages)
    previous: str | None = None
    for segment in segments(topology, offline=False):
        lines += ["", f"[{segment.index}] {segment.lane}"]
        for name in _names(segment):
            lines.append(_line(topology.stage(name), previous, width))
            previous = name
    return "\n".join(lines) + "\n"


def _names(segment: Segment) -> tuple[str, ...]:
    return (*segment.stages, segment.gate) if segment.gate else segment.stages


def _line(stage: StageDefinition, previous: str | None, width: int) -> str:
    parts = [str(stage.type)]
    if stage.type is not StageType.GATE:
        parts.append(f"policy {stage.policy}")
    if stage.implementation:
        parts.append(f"by {stage.implementation}")
    if stage.condition:
        verb = "waits until" if stage.is_gate else "only if"
        parts.append(f"{verb} {stage.condition.ledger_field} = {str(stage.condition.equals).lower()}")
    if stage.depends_on != ((previous,) if previous else ()):
        parts.append(f"after {', '.join(stage.depends_on) or 'nothing'}")
    return f"  {'◇' if stage.is_gate else '•'} {stage.name:<{width}}  {'  '.join(parts)}"
