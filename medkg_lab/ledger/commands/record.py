"""Recording what an engine did with its batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from medkg_lab.ledger.answers import Recorded
from medkg_lab.ledger.commands.command import Args, Command, illegal
from medkg_lab.ledger.commands.gates import condition_opens
from medkg_lab.ledger.errors import BatchNotOwned, StageNotInBatch
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import Batch, JobState, State
from medkg_lab.models.event_codec import MalformedEvent, draft_from_json
from medkg_lab.models.events import (
    Event,
    EventData,
    EventType,
    GateWaiting,
    JobAdvanced,
    JobCompleted,
    JobFailed,
    StageCompleted,
    StageEvent,
    StageFailed,
    StageRetrying,
    StageSkipped,
    StageStarted,
    of_jobs,
)

Recordable = (
    StageStarted
    | StageCompleted
    | StageSkipped
    | StageRetrying
    | StageFailed
    | JobAdvanced
    | GateWaiting
    | JobCompleted
    | JobFailed
)
"""What an engine may record."""
_Leaves = JobAdvanced | GateWaiting | JobCompleted | JobFailed
"""With these a job leaves its batch."""
_OneJob = StageFailed | JobFailed


@dataclass(frozen=True, slots=True)
class Record(Command):
    """Events of a batch, in order. Those of jobs that were cancelled meanwhile are dropped; a lost batch is refused."""

    batch_id: str
    events: tuple[EventData, ...]

    op = "record"
    first_events = frozenset({*(each.type for each in Recordable.__args__), EventType.GATE_OPENED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        batch_id, raw = read.text("batch_id"), read.mappings("events")
        if not raw:
            raise read.wrong("events is empty")
        return cls(read.id(), batch_id, tuple(_event(read, batch_id, each) for each in raw))

    def job_ids(self) -> Iterable[str]:
        return chain.from_iterable(event.jobs for event in self.events)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        batch = state.batches.get(self.batch_id)
        held = set(batch.jobs) if batch else set()
        drafts: list[EventData] = []
        for event in self.events:
            kept = self._without_cancelled(event, held, state)
            if kept is None:
                continue
            if batch is not None and isinstance(kept, StageEvent):
                _check_stage(state, batch, kept)
            drafts.append(kept)
            if isinstance(kept, _Leaves):
                held.difference_update(kept.jobs)
            if isinstance(kept, GateWaiting):
                drafts.extend(condition_opens(state, kept, drafts))
        return drafts

    def _without_cancelled(self, event: EventData, held: set[str], state: State) -> EventData | None:
        """What is left of `event` without the cancelled jobs. Raises BatchNotOwned for any other that is not in the batch."""
        named = event.jobs
        dropped = frozenset(named) - held
        if not dropped:
            return event
        strange = sorted(job_id for job_id in dropped if not _was_cancelled(state, job_id, self.batch_id))
        if strange:
            raise BatchNotOwned(batch_id=self.batch_id, what=f"job {strange[0]}")
        return of_jobs(event, held) if len(dropped) < len(named) else None

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> Recorded:
        written = set(chain.from_iterable(event.jobs for event in events))
        dropped = dict.fromkeys(job_id for job_id in self.job_ids() if job_id not in written)
        return Recorded(seq=events[-1].seq if events else state.seq, dropped=tuple(dropped))


def _check_stage(state: State, batch: Batch, event: StageEvent) -> None:
    """Refuse a stage that the batch does not run, or that a job has behind it. Raises StageNotInBatch, IllegalTransition."""
    if event.stage not in batch.stages:
        raise StageNotInBatch(batch_id=batch.id, stage=event.stage, stages=", ".join(batch.stages))
    for job in map(state.jobs.__getitem__, event.jobs):
        if event.stage in job.done:
            raise illegal(job, f"run stage {event.stage} again")


def _was_cancelled(state: State, job_id: str, batch_id: str) -> bool:
    job = state.jobs.get(job_id)
    return job is not None and job.state is JobState.CANCELLED and job.batch == batch_id


def _event(read: Args, batch_id: str, raw: Mapping[str, object]) -> EventData:
    """Read one event of an engine. Raises MalformedCommand."""
    try:
        event = draft_from_json(raw, batch_id)
    except MalformedEvent as error:
        raise read.wrong(error.detail) from None
    if not isinstance(event, Recordable):
        raise read.wrong(f"an engine cannot record {event.type.value!r}")
    jobs = event.jobs
    if not jobs or len(set(jobs)) != len(jobs) or (isinstance(event, _OneJob) and len(jobs) != 1):
        raise read.wrong(f"{event.type} names {len(jobs)} jobs")
    return event
