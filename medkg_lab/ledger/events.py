"""The vocabulary of the log: what an event is, which types there are, and how one is written down.

An event says what happened, once: to one or more jobs, or to what they share (then it names none). It is never changed. `Draft`
is an event that was decided on but has no place in the log yet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

SEPARATOR = "~"
"""Stands between a command's id and the number of its event; so no command's id has it."""


class EventType(StrEnum):
    """All that can happen."""

    DEFINITION_REGISTERED = "definition.registered"
    JOB_SUBMITTED = "job.submitted"
    JOB_IMPORTED = "job.imported"
    JOB_CLAIMED = "job.claimed"
    BATCH_EXPIRED = "batch.expired"
    STAGE_STARTED = "stage.started"
    STAGE_COMPLETED = "stage.completed"
    STAGE_SKIPPED = "stage.skipped"
    STAGE_RETRYING = "stage.retrying"
    STAGE_FAILED = "stage.failed"
    JOB_ADVANCED = "job.advanced"
    GATE_WAITING = "gate.waiting"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_DEAD = "job.dead"
    JOB_CANCELLED = "job.cancelled"
    JOB_REQUEUED = "job.requeued"
    GATE_OPENED = "gate.opened"
    GATE_REJECTED = "gate.rejected"
    GATE_FAILED = "gate.failed"
    GATE_RELEASED = "gate.released"
    RUN_LAUNCHED = "run.launched"
    FIELD_SET = "field.set"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_HALF_OPEN = "breaker.half_open"
    BREAKER_CLOSED = "breaker.closed"


MAKES_JOBS = frozenset({EventType.JOB_SUBMITTED, EventType.JOB_IMPORTED})
"""Only these name jobs that were not there before."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event without its place in the log."""

    type: EventType
    jobs: tuple[str, ...]
    data: Mapping[str, Any] = field(default_factory=dict)
    stage: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event in the log. `seq` counts from 1 without gaps; `ts` is seconds since the epoch.

    `id` is the id of the command that caused it for a command's first event, `<command id>~<n>` for its n-th further one.
    """

    seq: int
    id: str
    ts: float
    type: EventType
    stage: str | None
    batch: str | None
    jobs: tuple[str, ...]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event with its written forms: `jobs_json` and `data_json` are columns, `line` is the whole event as one JSON object."""

    event: Event
    jobs_json: bytes
    data_json: bytes
    line: bytes


def stamp(drafts: Sequence[Draft], command_id: str, after: int, ts: float) -> list[Event]:
    """Give the drafts of one command their places in the log, from `after` + 1 on."""
    return [
        Event(after + n + 1, event_id(command_id, n), ts, draft.type, draft.stage, draft.batch, draft.jobs, draft.data)
        for n, draft in enumerate(drafts)
    ]


def event_id(command_id: str, n: int) -> str:
    """The id of the n-th event (from 0) of a command."""
    return f"{command_id}{SEPARATOR}{n}" if n else command_id


def command_of(event_id: str) -> str:
    """The id of the command that an event came from."""
    return event_id.partition(SEPARATOR)[0]


def encode(event: Event) -> Encoded:
    """Write `event` down once for all who read it."""
    jobs, data = orjson.dumps(event.jobs), orjson.dumps(event.data)
    return Encoded(event, jobs, data, _line(event, jobs, data))


def _line(event: Event, jobs: bytes, data: bytes) -> bytes:
    return orjson.dumps(
        {
            "seq": event.seq,
            "id": event.id,
            "ts": event.ts,
            "type": event.type,
            "stage": event.stage,
            "batch": event.batch,
            "jobs": orjson.Fragment(jobs),
            "data": orjson.Fragment(data),
        }
    )


Row = tuple[int, str, float, str, str | None, str | None, str, str]
"""An event as the event table holds it: seq, id, ts, type, stage, batch, jobs as JSON, data as JSON."""


def to_row(encoded: Encoded) -> Row:
    """The event table's row of an event."""
    event = encoded.event
    jobs, data = encoded.jobs_json.decode(), encoded.data_json.decode()
    return (event.seq, event.id, event.ts, event.type.value, event.stage, event.batch, jobs, data)


def from_row(row: Row) -> Event:
    """The event of a row of the event table. ValueError names a type that this version does not know."""
    seq, id_, ts, kind, stage, batch, jobs, data = row
    return Event(seq, id_, ts, EventType(kind), stage, batch, tuple(orjson.loads(jobs)), orjson.loads(data))


PER_JOB = frozenset(
    {
        *("attempts", "content", "correlations", "counts", "docs", "entries", "executions", "ms", "over", "refs"),
        *("specs", "tenants", "versions"),
    }
)
"""The keys of events' data that hold one entry per job: lists in the order of the event's jobs, or objects by job id.

Whoever gives an event to only some of its jobs goes by this list; an entry that is not here goes to all of them.
"""


def of_jobs(data: Mapping[str, Any], named: Sequence[str], kept: Collection[str]) -> dict[str, Any]:
    """`data` of an event that names the jobs `named`, with the entries of the `kept` ones alone.

    What should have an entry per job and does not is dropped: nobody knows whose it is.
    """
    places = [place for place, job in enumerate(named) if job in kept]
    made: dict[str, Any] = {}
    for key, value in data.items():
        if key not in PER_JOB:
            made[key] = value
        elif isinstance(value, Mapping):
            made[key] = {job: entry for job, entry in value.items() if job in kept}
        elif isinstance(value, Sequence) and len(value) == len(named):
            made[key] = [value[place] for place in places]
    return made
