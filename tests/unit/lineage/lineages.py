"""What the tests of lineage share: the events of a small ledger, and everything that is told of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from medkg_lab.lineage.derive import Derivation, Granularity, Known
from medkg_lab.lineage.notes import JobNote, Notes
from medkg_lab.lineage.runs import RunReport, Transition
from medkg_lab.models.events import Event
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.kinds import INPUT_KINDS
from tests.unit.ledger.worlds import GATED, PLAIN

KINDS = {
    (topology.name, stage.name): INPUT_KINDS[StageType(stage.type)] if stage.type in INPUT_KINDS else ()
    for topology in (PLAIN, GATED)
    for stage in topology.stages
}
"""The kinds that each stage of the two pipelines takes."""


def inputs(pipeline: str, version: str, stage: str) -> tuple[str, ...]:
    """The kinds that a stage takes."""
    return KINDS.get((pipeline, stage), ())


@dataclass
class Telling:
    """Everything that events tell, with what is remembered at the end."""

    notes: Notes = field(default_factory=Notes)
    told: list[RunReport] = field(default_factory=list)


def told(
    events: Iterable[Event],
    granularity: Granularity = Granularity.DOCUMENT,
    recall: Sequence[JobNote] = (),
) -> Telling:
    """What `events` tell; `recall` are the notes of jobs that had ended."""
    by_id = {note.job_id: note for note in recall}
    known = Known(inputs, lambda job_id, kept: by_id.get(job_id))
    result = Telling()
    derivation = Derivation(result.notes, known, granularity)
    for event in events:
        result.told.extend(derivation.reports(event))
    return result


def transitions(found: Iterable[RunReport], job: str) -> list[Transition]:
    """What is told of the runs of one job in OpenLineage's sense, in order."""
    return [one.transition for one in found if one.run.job == job]
