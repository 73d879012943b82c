"""Fields and the gates that they open; of any number of callers who open a gate, one wins."""

import re
from abc import ABC
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from medkg_lab.ledger.answers import EndedJob, FieldChange, OpenedGate
from medkg_lab.ledger.commands.command import Args, Command, illegal, is_sha256, known
from medkg_lab.ledger.errors import GateNotWaiting, GatePagesMissing, GateWithoutEvidence
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import FINISHED, Gate, GateState, Job, JobState, State
from medkg_lab.models.event_codec import MalformedEvent, evidence_from_json
from medkg_lab.models.events import (
    ACKNOWLEDGED,
    NO_EVIDENCE,
    PDF_IR_READY,
    Condition,
    Event,
    EventData,
    EventType,
    Evidence,
    FieldSet,
    FieldValue,
    GateFailed,
    GateOpened,
    GateRejected,
    GateWaiting,
    JobCancelled,
    JobFailed,
    OpenedJob,
)

OPENED_BY_KINDS = ("manual", "condition")
LEDGER = "ledger"
"""Who opens a gate whose condition holds."""
_FIELD = re.compile(r"[a-z_]{1,64}\Z")
_OWN = frozenset(
    {"current_stage", "pipeline_name", "pipeline_version", "retry_count_per_stage", "post_pdf_started", ACKNOWLEDGED}
)
"""Fields that the ledger keeps itself."""


def opening(
    job_versions: Mapping[str, int], gate: str, by: str, how: str, why: str | None, partial: bool
) -> GateOpened:
    """The event that opens `gate` for these jobs; the versions are those that they have just before it."""
    entries = tuple(OpenedJob(job_id, version + 1) for job_id, version in job_versions.items())
    return GateOpened(gate, by, how, why, partial, entries)


def condition_opens(state: State, waiting: GateWaiting, drafts: Sequence[EventData]) -> list[EventData]:
    """The opening of the gate that the last of `drafts`, `waiting`, leads to, for those of its jobs whose field holds already."""
    ready = {
        job_id: state.jobs[job_id].version + sum(job_id in draft.jobs for draft in drafts)
        for job_id in waiting.jobs
        if satisfied(waiting.condition, state.jobs[job_id].fields)
    }
    return [opening(ready, waiting.gate, LEDGER, "condition", None, False)] if ready else []


def satisfied(condition: Condition, fields: Mapping[str, FieldValue]) -> bool:
    """Whether the field has exactly the value; True and 1 are not the same."""
    value = fields.get(condition.ledger_field)
    return type(value) is type(condition.equals) and value == condition.equals


def check_evidence(job: Job, field: str, evidence: Evidence, partial: bool) -> None:
    """Refuse what has no document behind it, or one with pages missing. Raises GateWithoutEvidence and GatePagesMissing."""
    if field != PDF_IR_READY:
        return
    if not is_sha256(evidence.document):
        raise GateWithoutEvidence(job_id=job.id, field=field)
    if evidence.missing_pages and not partial:
        raise GatePagesMissing(job_id=job.id, pages=", ".join(map(str, evidence.missing_pages)))


def _evidence(read: Args) -> Evidence:
    try:
        return evidence_from_json(read.mapping("evidence"))
    except MalformedEvent as error:
        raise read.wrong(f"evidence: {error.detail}") from None


@dataclass(frozen=True, slots=True)
class SetField(Command):
    """Set a field of a job; a gate that waits for this value opens in the same step."""

    job_id: str
    field: str
    value: FieldValue
    by: str
    evidence: Evidence

    op = "set_field"
    first_events = frozenset({EventType.FIELD_SET})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        field, value = read.text("field"), read.any("value")
        if not _FIELD.match(field) or field in _OWN:
            raise read.wrong(f"field {field!r:.80} cannot be set")
        if not isinstance(value, bool | int | str):
            raise read.wrong(f"value must be true, false, a number or a text, not {value!r:.80}")
        return cls(read.id(), read.text("job_id"), field, value, read.text("by"), _evidence(read))

    def job_ids(self) -> Iterable[str]:
        return (self.job_id,)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        job = known(state, self.job_id)
        if job.state in FINISHED:
            raise illegal(job, f"have its field {self.field} set")
        if self.value is True:
            check_evidence(job, self.field, self.evidence, partial=False)
        drafts: list[EventData] = [FieldSet((job.id,), self.field, self.value, self.by, self.evidence)]
        gate = job.gate
        if gate is not None and gate.state is GateState.WAITING and satisfied(gate.condition, {self.field: self.value}):
            drafts.append(opening({job.id: job.version + 1}, gate.gate, self.by, "condition", None, False))
        return drafts

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> FieldChange:
        return FieldChange(opened=any(event.type is EventType.GATE_OPENED for event in events))


@dataclass(frozen=True, slots=True)
class _GateCommand(Command, ABC):
    job_id: str
    by: str

    def job_ids(self) -> Iterable[str]:
        return (self.job_id,)

    def _waiting(self, state: State) -> tuple[Job, Gate]:
        job = known(state, self.job_id)
        gate = job.gate
        if job.state is JobState.WAITING_GATE and gate is not None and gate.state is GateState.WAITING:
            return job, gate
        detail = f", gate {gate.gate} is {gate.state.value}" if gate else ""
        raise GateNotWaiting(job_id=job.id, state=job.state.value, version=job.version, detail=detail)


@dataclass(frozen=True, slots=True)
class GateOpen(_GateCommand):
    """Open the gate that a job waits at."""

    why: str | None
    partial: bool
    how: str

    op = "gate_open"
    first_events = frozenset({EventType.GATE_OPENED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        how = read.text("how", "manual")
        if how not in OPENED_BY_KINDS:
            raise read.wrong(f"how must be one of {', '.join(OPENED_BY_KINDS)}, not {how!r:.80}")
        return cls(read.id(), read.text("job_id"), read.text("by"), read.maybe_text("why"), read.flag("partial"), how)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        job, gate = self._waiting(state)
        field = gate.condition.ledger_field
        check_evidence(job, field, job.evidence.get(field, NO_EVIDENCE), self.partial)
        return [opening({job.id: job.version}, gate.gate, self.by, self.how, self.why, self.partial)]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> OpenedGate:
        opened = events[0].data
        assert isinstance(opened, GateOpened), "the first event of this command"
        return OpenedGate(version=opened.entries[0].version)


@dataclass(frozen=True, slots=True)
class GateReject(_GateCommand):
    """Refuse the job that waits at a gate: it ends cancelled."""

    why: str

    op = "gate_reject"
    first_events = frozenset({EventType.GATE_REJECTED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("job_id"), read.text("by"), read.text("why", "no reason given"))

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        job, gate = self._waiting(state)
        return [
            GateRejected(gate.gate, (job.id,), self.by, self.why),
            JobCancelled((job.id,), self.by, self.why, gate=gate.gate),
        ]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> EndedJob:
        return EndedJob(job_id=self.job_id, state=JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class GateFail(_GateCommand):
    """Say that what a gate waits for will not come: the job ends failed."""

    kind: str
    reason: str
    evidence: Evidence

    op = "gate_fail"
    first_events = frozenset({EventType.GATE_FAILED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(
            read.id(),
            read.text("job_id"),
            read.text("by"),
            read.text("kind"),
            read.text("reason"),
            _evidence(read),
        )

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        job, gate = self._waiting(state)
        return [
            GateFailed(gate.gate, (job.id,), self.by, self.kind, self.reason, self.evidence),
            JobFailed((job.id,), self.kind, None, self.reason, stage=gate.gate, gate=gate.gate),
        ]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> EndedJob:
        return EndedJob(job_id=self.job_id, state=JobState.FAILED)
