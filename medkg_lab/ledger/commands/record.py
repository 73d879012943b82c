"""Recording what an engine did with its batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Self

from medkg_lab.ledger.commands.command import Args, Command, illegal
from medkg_lab.ledger.commands.gates import condition_opens
from medkg_lab.ledger.errors import BatchNotOwned, StageNotInBatch
from medkg_lab.ledger.events import PER_JOB, Draft, Event, EventType, of_jobs
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import Batch, JobState, State

_STAGE = {"t0": (int, float)}
_SPAN = {**_STAGE, "t1": (int, float)}
_WHY = {"kind": (str,), "reason": (str,)}
_TEXT_OR_NONE = (str, type(None))

REQUIRED: Mapping[EventType, Mapping[str, tuple[type, ...]]] = {
    EventType.STAGE_STARTED: _STAGE,
    EventType.STAGE_COMPLETED: {
        **_SPAN,
        "ms": (list,),
        "counts": (list,),
        "refs": (list,),
        "kind": (str,),
        "implementation": (str,),
        "device": _TEXT_OR_NONE,
    },
    EventType.STAGE_SKIPPED: {**_STAGE, "reason": (str,)},
    EventType.STAGE_RETRYING: {"attempt": (int,), "delay_s": (int, float), **_WHY},
    EventType.STAGE_FAILED: {**_SPAN, "attempt": (int,), "error": (str,), **_WHY},
    EventType.JOB_ADVANCED: {"segment": (int,), "lane": (str,)},
    EventType.GATE_WAITING: {"condition": (dict,), "resume_segment": (int,), "resume_lane": (str,), "stages": (list,)},
    EventType.JOB_COMPLETED: {"unchanged": (bool,), "content": (list,)},
    EventType.JOB_FAILED: {**_WHY, "error": _TEXT_OR_NONE, "stage": _TEXT_OR_NONE},
}
"""The types that an engine may record, with the keys that their data must have."""

_ONE_JOB = frozenset({EventType.STAGE_FAILED, EventType.JOB_FAILED})
_LEAVES = frozenset({EventType.JOB_ADVANCED, EventType.GATE_WAITING, EventType.JOB_COMPLETED, EventType.JOB_FAILED})
_RUNS_STAGE = frozenset(each for each in REQUIRED if each.value.startswith("stage."))


@dataclass(frozen=True, slots=True)
class Record(Command):
    """Events of a batch, in order. Those of jobs that were cancelled meanwhile are dropped; a lost batch is refused."""

    batch_id: str
    events: tuple[Draft, ...]

    op = "record"
    first_events = frozenset({*REQUIRED, EventType.GATE_OPENED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        read = Args(cls.op, args)
        batch_id, raw = read.text("batch_id"), read.mappings("events")
        if not raw:
            raise read.wrong("events is empty")
        return cls(read.id(), batch_id, tuple(_draft(batch_id, each) for each in raw))

    def job_ids(self) -> Iterable[str]:
        return chain.from_iterable(draft.jobs for draft in self.events)

    def decide(self, state: State, plans: Plans) -> list[Draft]:
        batch = state.batches.get(self.batch_id)
        held = set(batch.jobs) if batch else set()
        drafts: list[Draft] = []
        for draft in self.events:
            kept = self._kept(draft, held, state)
            if kept is None:
                continue
            if batch is not None and kept.type in _RUNS_STAGE:
                _check_stage(state, batch, kept)
            drafts.append(kept)
            if kept.type in _LEAVES:
                held.difference_update(kept.jobs)
            if kept.type is EventType.GATE_WAITING:
                drafts.extend(condition_opens(state, drafts))
        return drafts

    def _kept(self, draft: Draft, held: set[str], state: State) -> Draft | None:
        """What is left of `draft` without the cancelled jobs. Raises BatchNotOwned for any other that is not in the batch."""
        dropped = frozenset(draft.jobs) - held
        if not dropped:
            return draft
        strange = sorted(job_id for job_id in dropped if not _was_cancelled(state, job_id, self.batch_id))
        if strange:
            raise BatchNotOwned(batch_id=self.batch_id, what=f"job {strange[0]}")
        jobs = tuple(job_id for job_id in draft.jobs if job_id in held)
        return replace(draft, jobs=jobs, data=of_jobs(draft.data, draft.jobs, held)) if jobs else None

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> dict[str, Any]:
        written = set(chain.from_iterable(event.jobs for event in events))
        dropped = dict.fromkeys(job_id for job_id in self.job_ids() if job_id not in written)
        return {"seq": events[-1].seq if events else state.seq, "dropped": list(dropped)}


def _check_stage(state: State, batch: Batch, draft: Draft) -> None:
    """Refuse a stage that the batch does not run, or that a job has behind it. Raises StageNotInBatch, IllegalTransition."""
    if draft.stage not in batch.stages:
        raise StageNotInBatch(batch_id=batch.id, stage=draft.stage, stages=", ".join(batch.stages))
    for job in map(state.jobs.__getitem__, draft.jobs):
        if draft.stage in job.done:
            raise illegal(job, f"run stage {draft.stage} again")


def _was_cancelled(state: State, job_id: str, batch_id: str) -> bool:
    job = state.jobs.get(job_id)
    return job is not None and job.state is JobState.CANCELLED and job.batch == batch_id


def _draft(batch_id: str, raw: Mapping[str, Any]) -> Draft:
    """Read one event of an engine. Raises MalformedCommand."""
    read = Args(Record.op, raw)
    name = read.text("type")
    if name not in REQUIRED:
        raise read.wrong(f"an engine cannot record {name!r:.80}")
    kind = EventType(name)
    jobs, data, stage = read.texts("jobs"), read.mapping("data"), read.maybe_text("stage")
    if not jobs or len(set(jobs)) != len(jobs) or (kind in _ONE_JOB and len(jobs) != 1):
        raise read.wrong(f"{name} names {len(jobs)} jobs")
    if (kind in _RUNS_STAGE or kind is EventType.GATE_WAITING) and stage is None:
        raise read.wrong(f"{name} names no stage")
    for key, types in REQUIRED[kind].items():
        if not isinstance(data.get(key), types) or key not in data:
            raise read.wrong(f"{key} of {name} cannot be {data.get(key)!r:.80}")
        if key in PER_JOB and len(data[key]) != len(jobs):
            raise read.wrong(f"{key} of {name} has {len(data[key])} entries for {len(jobs)} jobs")
    if not isinstance(data.get("own"), str | None):
        raise read.wrong(f"own of {name} cannot be {data['own']!r:.80}")
    if kind is EventType.GATE_WAITING and not {"ledger_field", "equals"} <= data["condition"].keys():
        raise read.wrong("condition of gate.waiting needs ledger_field and equals")
    return Draft(kind, jobs, data, stage, batch_id)
