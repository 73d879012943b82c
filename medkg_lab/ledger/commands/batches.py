"""Claiming a batch, handing it back, and losing it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID, uuid5

from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.errors import BatchNotOwned
from medkg_lab.ledger.events import Draft, Event, EventType
from medkg_lab.ledger.own_failures import ENGINE, MAX_LOSSES
from medkg_lab.ledger.plans import Plan, Plans
from medkg_lab.ledger.queue import GroupKey
from medkg_lab.ledger.state import Batch, DocumentKey, Job, State

MAX_CLAIM = 1024
MAX_LEASE = 3600.0
LANES = ("network", "compute")
STAMPS = ("profile", "profile_version", "policies_version")
_BATCHES = UUID("8f0e6c1c-6c9f-5b0e-8c58-0f6d1a0f4b57")


@dataclass(frozen=True, slots=True)
class Claim(Command):
    """Take queued jobs to work on, as one batch; nothing when none is queued in the lanes."""

    worker: str
    lanes: tuple[str, ...]
    limit: int
    lease_s: float
    stamps: Mapping[str, Any]

    op = "claim"
    first_events = frozenset({EventType.JOB_CLAIMED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        read = Args(cls.op, args)
        lanes = read.texts("lanes")
        if not lanes or not set(lanes) <= set(LANES):
            raise read.wrong(f"lanes must name some of {', '.join(LANES)}")
        limit, lease = int(read.number("limit", 1, MAX_CLAIM)), read.number("lease_s", 0.05, MAX_LEASE)
        stamps = read.mapping("stamps")
        chosen = {name: stamps.get(name) for name in STAMPS}
        return cls(read.id(), read.text("worker"), lanes, limit, lease, chosen)

    def decide(self, state: State, plans: Plans) -> list[Draft]:
        picked = state.queue.pick(self.lanes, self.limit)
        if picked is None:
            return []
        key, job_ids = picked
        jobs = [state.jobs[job_id] for job_id in job_ids]
        plan = plans.of(key.pipeline, key.pipeline_version, key.offline)
        batch_id = key.run_id or str(uuid5(_BATCHES, self.id))
        return [Draft(EventType.JOB_CLAIMED, tuple(job_ids), self._data(key, jobs, plan), batch=batch_id)]

    def _data(self, key: GroupKey, jobs: Sequence[Job], plan: Plan) -> dict[str, Any]:
        segment = plan.segments[key.segment]
        return {
            "worker": self.worker,
            "lane": key.lane,
            "pipeline": key.pipeline,
            "pipeline_version": key.pipeline_version,
            "half": segment.half,
            "segment": segment.index,
            "stages": [stage for stage in segment.stages if stage not in key.done],
            "docs": [job.spec.doc_id for job in jobs],
            "tenants": [job.spec.tenant_id for job in jobs],
            "correlations": [job.spec.correlation_id for job in jobs],
            "attempts": [job.attempt + 1 for job in jobs],
            "executions": [job.execution for job in jobs],
            "lease_s": self.lease_s,
            **self.stamps,
        }

    def documents(self, state: State, events: Sequence[Event]) -> Iterable[DocumentKey]:
        ids = events[0].jobs if events else ()
        return [(job.spec.tenant_id, job.spec.doc_id) for job in map(state.jobs.get, ids) if job and not job.spec.again]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> dict[str, Any] | None:
        """The batch as it stands; nothing when it is lost or done by now."""
        batch = state.batches.get(events[0].batch or "") if events else None
        return describe(state, plans, batch) if batch else None


def describe(state: State, plans: Plans, batch: Batch) -> dict[str, Any]:
    """A batch as its engine gets it."""
    jobs = [state.jobs[job_id] for job_id in batch.jobs]
    spec = jobs[0].spec
    plan = plans.of(batch.pipeline, batch.pipeline_version, spec.offline)
    behind = [stage for stage in plan.segments[batch.segment].stages if stage not in batch.stages]
    return {
        "batch_id": batch.id,
        "pipeline": batch.pipeline,
        "pipeline_version": batch.pipeline_version,
        "half": batch.half,
        "segment": batch.segment,
        "lane": batch.lane,
        "lease_s": batch.lease_s,
        "stages": list(batch.stages),
        "resume_after": behind[-1] if behind else None,
        "jobs": [_describe_job(state, job) for job in jobs],
    }


def _describe_job(state: State, job: Job) -> dict[str, Any]:
    return {
        **job.spec.to_json(),
        "attempt": job.attempt,
        "execution": job.execution,
        "outputs": job.outputs,
        "done": list(job.done),
        "fields": job.fields,
        "last_content": _last_content(state, job),
    }


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
    def parse(cls, args: Mapping[str, Any]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("batch_id"), read.maybe_text("stage"), read.maybe_text("over"))

    def decide(self, state: State, plans: Plans) -> list[Draft]:
        batch = state.batches.get(self.batch_id)
        if batch is None:
            raise BatchNotOwned(batch_id=self.batch_id, what="any job")
        if self.over not in batch.jobs:
            return expire(state, batch, "surrendered", self.stage)
        return expire(state, batch, "deadline", self.stage or batch.stage, self.over)

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class Expire(Command):
    """Take a batch from an engine whose lease ran out (`lease`) or whose stage went on beyond its deadline (`deadline`)."""

    batch_id: str
    reason: str

    op = "expire"
    first_events = frozenset({EventType.BATCH_EXPIRED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        read = Args(cls.op, args)
        return cls(read.id(), read.text("batch_id"), read.text("reason"))

    def decide(self, state: State, plans: Plans) -> list[Draft]:
        batch = state.batches.get(self.batch_id)
        return expire(state, batch, self.reason, batch.stage) if batch else []

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> None:
        return None


def expire(state: State, batch: Batch, reason: str, stage: str | None, over: str | None = None) -> list[Draft]:
    """The events of a lost batch: its jobs are queued again; one that was alone once too often is dead.

    `over` is the job that it was lost by, where that is known.
    """
    jobs = tuple(batch.jobs)
    data: dict[str, Any] = {"worker": batch.worker, "stage": stage, "reason": reason, "alone": len(jobs) == 1}
    if over is not None:
        data["over"] = [job == over for job in jobs]
    drafts = [Draft(EventType.BATCH_EXPIRED, jobs, data, batch=batch.id)]
    losses = state.jobs[jobs[0]].losses + 1
    if len(jobs) == 1 and reason != "surrendered" and losses >= MAX_LOSSES:
        # A document that runs over its deadline does so each time; an engine may also have been ended by something else.
        own = ENGINE if reason == "lease" else None
        why = f"{losses} times an engine was lost while it worked on this job alone, last in stage {stage or '(none yet)'}"
        drafts.append(Draft(EventType.JOB_DEAD, jobs, {"reason": why, "losses": losses, "own": own}, stage=stage))
    return drafts
