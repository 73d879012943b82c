"""A topology as plain text."""

from medkg_lab.stages.contracts import StageType
from medkg_lab.topology.graph import Segment, segments
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.versions import version_of


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
