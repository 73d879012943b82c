"""Claiming a batch, handing it back, and losing it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID, uuid5

import orjson

from medkg_lab.ledger.answers import BatchJob, ClaimedBatch
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.errors import BatchNotOwned
from medkg_lab.ledger.own_failures import ENGINE, MAX_LOSSES
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import Batch, DocumentKey, Job, State, values_of
from medkg_lab.models.events import (
    BatchExpired,
    ClaimedJob,
    Event,
    EventData,
    EventType,
    JobClaimed,
    JobDead,
    LostJob,
)

MAX_CLAIM = 1024
MAX_LEASE_S = 3600.0
LANES = ("network", "compute")
_BATCHES = UUID("8f0e6c1c-6c9f-5b0e-8c58-0f6d1a0f4b57")


class Stamps(NamedTuple):
    """What an engine goes by."""

    profile: str | None
    profile_version: str | None
    policies_version: str | None


@dataclass(frozen=True, slots=True)
class Claim(Command):
    """Take queued jobs to work on, as one batch; nothing when none is queued in the lanes."""

    worker: str
    lanes: tuple[str, ...]
    limit: int
    lease_s: float
    stamps: Stamps

    op = "claim"
    first_events = frozenset({EventType.JOB_CLAIMED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        lanes = read.texts("lanes")
        if not lanes or not set(lanes) <= set(LANES):
            raise read.wrong(f"lanes must name some of {', '.join(LANES)}")
        limit, lease = int(read.number("limit", 1, MAX_CLAIM)), read.number("lease_s", 0.05, MAX_LEASE_S)
        given = Args(cls.op, read.mapping("stamps"))
        stamps = Stamps(*map(given.maybe_text, Stamps._fields))
        return cls(read.id(), read.text("worker"), lanes, limit, lease, stamps)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        picked = state.queue.pick(self.lanes, self.limit)
        if picked is None:
            return []
        key, job_ids = picked
        jobs = [state.jobs[job_id] for job_id in job_ids]
        plan = plans.of(key.pipeline, key.pipeline_version, key.offline)
        segment = plan.segments[key.segment]
        return [
            JobClaimed(
                worker=self.worker,
                lane=key.lane,
                pipeline=key.pipeline,
                pipeline_version=key.pipeline_version,
                half=segment.half,
                segment=segment.index,
                stages=tuple(stage for stage in segment.stages if stage not in key.done),
                entries=tuple(map(_claimed, jobs)),
                lease_s=self.lease_s,
                batch=key.run_id or str(uuid5(_BATCHES, self.id)),
                **self.stamps._asdict(),
            )
        ]

    def documents(self, state: State, events: Sequence[Event]) -> Iterable[DocumentKey]:
        ids = events[0].jobs if events else ()
        return [(job.spec.tenant_id, job.spec.doc_id) for job in map(state.jobs.get, ids) if job and not job.spec.again]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> ClaimedBatch | None:
        """The batch as it stands; nothing when it is lost or done by now."""
        batch = state.batches.get(events[0].batch or "") if events else None
        return describe(state, batch) if batch else None


def _claimed(job: Job) -> ClaimedJob:
    spec = job.spec
    return ClaimedJob(job.id, spec.doc_id, spec.tenant_id, spec.correlation_id, job.attempt + 1, job.execution)


def describe(state: State, batch: Batch) -> ClaimedBatch:
    """A batch as its engine gets it."""
    return ClaimedBatch(
        batch_id=batch.id,
        pipeline=batch.pipeline,
        pipeline_version=batch.pipeline_version,
        half=batch.half,
        segment=batch.segment,
        lane=batch.lane,
        lease_s=batch.lease_s,
        stages=tuple(batch.stages),
        jobs=tuple(_describe_job(state, state.jobs[job_id]) for job_id in batch.jobs),
    )


def _describe_job(state: State, job: Job) -> BatchJob:
    return BatchJob(
        **{**values_of(job.spec), "submission": orjson.Fragment(job.spec.submission)},
        attempt=job.attempt,
        execution=job.execution,
        outputs=job.outputs,
        done=tuple(job.done),
        fields=job.fields,
        last_content=_last_content(state, job),
    )


def _last_content(state: State, job: Job) -> str | None:
    """The content that the document's last completed job had, if the same work would be done to it now."""
    spec = job.spec
    last = None if spec.again else state.documents.get((spec.tenant_id, spec.doc_id))
    if last is None or last.job_id == job.id:
        return None
    same = (last.pipeline, last.pipeline_version, last.profile_version)
    return last.content if same == (spec.pipeline, spec.pipeline_version, job.profile_version) else None


@dataclass(frozen=True, slots=True)
class Surrender(Command):
    """Hand a batch back, in order: its jobs are queued again and nothing counts against them.

    `over` names the job whose document ran over its deadline, which is another matter: it is tried again alone.
    """

    batch_id: str
    stage: str | None
    over: str | None

    op = "surrender"
    first_events = frozenset({EventType.BATCH_EXPIRED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("batch_id"), read.maybe_text("stage"), read.maybe_text("over"))

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        batch = state.batches.get(self.batch_id)
        if batch is None:
            raise BatchNotOwned(batch_id=self.batch_id, what="any job")
        if self.over not in batch.jobs:
            return expire(state, batch, "surrendered", self.stage)
        return expire(state, batch, "deadline", self.stage or batch.stage, self.over)

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Expire(Command):
    """Take a batch from an engine whose lease ran out (`lease`) or whose stage went on beyond its deadline (`deadline`)."""

    batch_id: str
    reason: str

    op = "expire"
    first_events = frozenset({EventType.BATCH_EXPIRED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("batch_id"), read.text("reason"))

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        batch = state.batches.get(self.batch_id)
        return expire(state, batch, self.reason, batch.stage) if batch else []

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> None:
        return None


def expire(state: State, batch: Batch, reason: str, stage: str | None, over: str | None = None) -> list[EventData]:
    """The events of a lost batch: its jobs are queued again; one that was alone once too often is dead.

    `over` is the job that it was lost by, where that is known.
    """
    jobs = tuple(batch.jobs)
    entries = tuple(LostJob(job, None if over is None else job == over) for job in jobs)
    drafts: list[EventData] = [BatchExpired(batch.worker, stage, reason, len(jobs) == 1, entries, batch.id)]
    losses = state.jobs[jobs[0]].losses + 1
    if len(jobs) == 1 and reason != "surrendered" and losses >= MAX_LOSSES:
        # A document that runs over its deadline does so each time; an engine may also have been ended by something else.
        own = ENGINE if reason == "lease" else None
        why = f"{losses} times an engine was lost while it worked on this job alone, last in stage {stage or '(none yet)'}"
        drafts.append(JobDead(jobs, why, losses, own, stage))
    return drafts
