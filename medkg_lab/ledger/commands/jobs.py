"""Submitting, cancelling and retrying jobs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from medkg_lab.ledger.answers import Acknowledged, ChangedJobs, EndedJob, RequeuedJob
from medkg_lab.ledger.commands.command import Args, Command, illegal, known
from medkg_lab.ledger.errors import DocumentGone
from medkg_lab.ledger.own_failures import BY, ENGINE, MAX_LOSSES, PAUSES
from medkg_lab.ledger.plans import Plan, Plans
from medkg_lab.ledger.state import FINISHED, Job, JobState, State
from medkg_lab.models.event_codec import MalformedEvent, spec_from_json
from medkg_lab.models.events import (
    ACKNOWLEDGED,
    Condition,
    Event,
    EventData,
    EventType,
    FieldSet,
    GateWaiting,
    JobCancelled,
    JobRequeued,
    JobSubmitted,
)
from medkg_lab.models.job import JobSpec

MAX_JOBS = 10_000
_ENDED_BADLY = frozenset({JobState.FAILED, JobState.DEAD})


@dataclass(frozen=True, slots=True)
class Submit(Command):
    """Make new jobs; those that exist already stay as they are."""

    jobs: tuple[JobSpec, ...]

    op = "submit"
    first_events = frozenset({EventType.JOB_SUBMITTED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        raw = read.mappings("jobs")
        if len(raw) > MAX_JOBS:
            raise read.wrong(f"more than {MAX_JOBS} jobs at once")
        try:
            return cls(read.id(), tuple(map(spec_from_json, raw)))
        except MalformedEvent as error:
            raise read.wrong(error.detail) from None

    def job_ids(self) -> Iterable[str]:
        return (spec.job_id for spec in self.jobs)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        specs = tuple({spec.job_id: spec for spec in self.jobs if spec.job_id not in state.jobs}.values())
        for spec in specs:
            plan = plans.of(spec.pipeline, spec.pipeline_version, spec.offline)
            segment = plan.segments[spec.segment] if 0 <= spec.segment < len(plan.segments) else None
            if segment is None or (segment.lane.value, segment.half) != (spec.lane, spec.half):
                raise Args(self.op, {}).wrong(
                    f"job {spec.job_id} names a segment, half or lane that its pipeline lacks"
                )
        return [JobSubmitted(specs)] if specs else []

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> list[Acknowledged]:
        new = set(events[0].jobs) if events else set()
        return [
            Acknowledged(job_id=spec.job_id, new=spec.job_id in new, state=state.jobs[spec.job_id].state)
            for spec in self.jobs
        ]


@dataclass(frozen=True, slots=True)
class Cancel(Command):
    """End a job that is not finished. If it is running, its engine hears of it and its further events are dropped."""

    job_id: str
    by: str
    why: str

    op = "cancel"
    first_events = frozenset({EventType.JOB_CANCELLED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("job_id"), read.text("by"), read.text("why", "no reason given"))

    def job_ids(self) -> Iterable[str]:
        return (self.job_id,)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        job = known(state, self.job_id)
        if job.state in FINISHED:
            raise illegal(job, "be cancelled")
        return [JobCancelled((job.id,), self.by, self.why, batch=_batch_of(job))]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> EndedJob:
        return EndedJob(job_id=self.job_id, state=JobState.CANCELLED)


def _batch_of(job: Job) -> str | None:
    return job.batch if job.state is JobState.RUNNING else None


@dataclass(frozen=True, slots=True)
class Retry(Command):
    """Run a finished job again from a stage on, by default the first that was not completed; earlier outputs are kept."""

    job_id: str
    from_stage: str | None
    by: str

    op = "retry"
    first_events = frozenset({EventType.JOB_REQUEUED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("job_id"), read.maybe_text("from_stage"), read.text("by"))

    def job_ids(self) -> Iterable[str]:
        return (self.job_id,)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        return list(requeue(known(state, self.job_id), plans, self.from_stage, self.by))

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> RequeuedJob:
        requeued = events[0].data
        assert isinstance(requeued, JobRequeued), "the first event of this command"
        return RequeuedJob(job_id=self.job_id, from_stage=requeued.from_stage)


@dataclass(frozen=True, slots=True)
class RetryMany(Command):
    """Run again those of the named jobs that are still in `state`, and of `kind` if it is given; the others stay."""

    jobs: tuple[str, ...]
    state: str
    kind: str | None
    by: str

    op = "retry_many"
    first_events = frozenset({EventType.JOB_REQUEUED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        jobs, state = read.texts("job_ids"), read.text("state")
        if len(jobs) > MAX_JOBS or len(set(jobs)) != len(jobs):
            raise read.wrong(f"job_ids names more than {MAX_JOBS} jobs, or one twice")
        if state not in FINISHED:
            raise read.wrong(f"state must be one of {', '.join(sorted(FINISHED))}, not {state!r:.80}")
        return cls(read.id(), jobs, state, read.maybe_text("kind"), read.text("by"))

    def job_ids(self) -> Iterable[str]:
        return self.jobs

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        found = [job for job in map(state.jobs.get, self.jobs) if job is not None and job.state == self.state]
        chosen = [job for job in found if not job.is_deleted and self.kind in (None, job.failure_kind)]
        return [draft for job in chosen for draft in requeue(job, plans, None, self.by)]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> ChangedJobs:
        return ChangedJobs(job_ids=tuple(event.jobs[0] for event in events if event.type is EventType.JOB_REQUEUED))


@dataclass(frozen=True, slots=True)
class Acknowledge(Command):
    """Note that someone has seen how the named jobs failed or were given up; until they run again, it needs nobody any more."""

    jobs: tuple[str, ...]
    by: str

    op = "acknowledge"
    first_events = frozenset({EventType.FIELD_SET})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        jobs = read.texts("job_ids")
        if len(jobs) > MAX_JOBS or len(set(jobs)) != len(jobs):
            raise read.wrong(f"job_ids names more than {MAX_JOBS} jobs, or one twice")
        return cls(read.id(), jobs, read.text("by"))

    def job_ids(self) -> Iterable[str]:
        return self.jobs

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        if len(self.jobs) == 1 and (job := known(state, self.jobs[0])).state not in _ENDED_BADLY:
            raise illegal(job, "be acknowledged as a failure")
        seen: dict[int, list[str]] = {}
        for job in filter(None, map(state.jobs.get, self.jobs)):
            if job.state in _ENDED_BADLY and job.fields.get(ACKNOWLEDGED) != job.execution:
                seen.setdefault(job.execution, []).append(job.id)
        return [FieldSet(tuple(jobs), ACKNOWLEDGED, execution, self.by) for execution, jobs in seen.items()]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> ChangedJobs:
        return ChangedJobs(job_ids=tuple(job_id for event in events for job_id in event.jobs))


@dataclass(frozen=True, slots=True)
class RetryOwn(Command):
    """Run a job again, as the lab does by itself, that ended because a process of the lab was at fault."""

    job_id: str

    op = "retry_own"
    first_events = frozenset({EventType.JOB_REQUEUED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("job_id"))

    def job_ids(self) -> Iterable[str]:
        return (self.job_id,)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        job = state.jobs.get(self.job_id)
        if job is None or job.id not in state.own_failures:
            return []
        requeued, *others = requeue(job, plans, None, BY)
        retries = job.own_retries + 1
        why = (
            f"the lab's own {job.own} was at fault, not the document: run again by itself ({retries} of {len(PAUSES)})"
        )
        losses = MAX_LOSSES - 1 if job.own == ENGINE else 0
        return [replace(requeued, why=why, own_retries=retries, losses=losses), *others]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> None:
        return None


def requeue(
    job: Job, plans: Plans, from_stage: str | None, by: str
) -> tuple[JobRequeued] | tuple[JobRequeued, GateWaiting]:
    """The events that run `job` again from `from_stage` on; at a gate, it waits there anew.

    The fields that open the gates from there on are cleared: what stood behind them is about to be made again. Raises
    IllegalTransition unless the job is finished, DocumentGone when its document was deleted, and UnknownStage.
    """
    if job.state not in FINISHED:
        raise illegal(job, "be run again")
    if job.is_deleted:
        raise DocumentGone(doc_id=job.spec.doc_id, job_id=job.id)
    plan = plans.of(job.spec.pipeline, job.spec.pipeline_version, job.spec.offline)
    step = from_stage or plan.first_open(job.done)
    keep = plan.before(step)
    segment = plan.segments[plan.steps[step]]
    requeued = JobRequeued(
        (job.id,),
        by=by,
        from_stage=step,
        segment=segment.index,
        half=segment.half,
        lane=segment.lane.value,
        keep=tuple(stage for stage in job.done if stage in keep),
        clear=tuple(condition.ledger_field for gate, condition in plan.gates.items() if gate not in keep),
    )
    return (requeued, _waiting(plan, step, job)) if step in plan.gates else (requeued,)


def _waiting(plan: Plan, gate: str, job: Job) -> GateWaiting:
    """The event that says that a job waits at `gate`."""
    resume, awaited = plan.segments[plan.steps[gate] + 1], plan.gates[gate]
    condition = Condition(awaited.ledger_field, awaited.equals)
    return GateWaiting(gate, (job.id,), condition, resume.index, resume.lane.value, resume.stages)
