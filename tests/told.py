"""Events for tests: what a test does not say of one is filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.event_codec import COLUMNS, draft_to_json, from_json, spec_from_json, to_json
from medkg_lab.models.events import Event, EventData, EventType
from medkg_lab.models.job import JobSpec

_WHY = {"kind": "bad_input", "reason": "it is empty", "error": "EmptyDocument"}
_OF_TYPE: Mapping[str, Mapping[str, Any]] = {
    "job.claimed": {
        "worker": "w1", "lane": "compute", "pipeline": "plain", "pipeline_version": "1.0+abc", "half": 0, "segment": 0,
        "stages": ["ingest"], "lease_s": 10.0,
    },
    "batch.expired": {"worker": "w1", "stage": None, "reason": "lease", "alone": False},
    "stage.started": {"t0": 10.0},
    "stage.completed": {"t0": 10.0, "t1": 10.5, "kind": "document", "implementation": "test", "device": None},
    "stage.skipped": {"t0": 10.0, "reason": "condition"},
    "stage.retrying": {"attempt": 1, "delay_s": 0.5, "kind": "service", "reason": "busy"},
    "stage.failed": {"t0": 10.0, "t1": 10.5, "attempt": 1, **_WHY},
    "job.advanced": {"segment": 1, "lane": "compute"},
    "gate.waiting": {
        "condition": {"ledger_field": "pdf_ir_ready", "equals": True}, "resume_segment": 1, "resume_lane": "compute",
        "stages": ["chunk"],
    },
    "job.completed": {"unchanged": False},
    "job.failed": {**_WHY, "stage": None},
    "job.dead": {"reason": "lost three engines", "losses": 3, "own": None},
    "job.cancelled": {"by": "anna", "why": "duplicate"},
    "job.requeued": {
        "by": "anna", "from_stage": "ingest", "segment": 0, "half": 0, "lane": "compute", "keep": [], "clear": [],
    },
    "gate.opened": {"by": "anna", "how": "manual", "why": None, "partial": False},
    "gate.rejected": {"by": "anna", "why": "wrong file"},
    "gate.failed": {"by": "pdf", "kind": "bad_input", "reason": "no text"},
    "gate.released": {"release_id": "r1", "pipeline": "gated", "pipeline_version": "1.0+abc", "segment": 1},
    "run.launched": {"run_id": "run-1", "release_id": None, "by": "anna", "from_stage": None},
    "field.set": {"field": "pdf_ir_ready", "value": True, "by": "pdf"},
    "document.deleted": {"tenant_id": "default", "doc_id": "file:j1", "by": "anna", "why": "asked for"},
    "breaker.opened": {"policy": "p", "key": "k", "failures": 3, "reset_s": 1.0, "until": 2.0, "by": "e1"},
    "breaker.half_open": {"policy": "p", "key": "k", "owner": "e1", "until": 3.0},
    "breaker.closed": {"policy": "p", "key": "k", "by": "e1"},
    "definition.registered": {"kind": "topology", "name": "plain", "version": "1.0+abc", "content": "{}"},
}  # fmt: skip
_OF_JOB = {"attempts": 1, "executions": 1, "ms": 1.5, "counts": 1, "refs": None, "content": None, "versions": 1}


def spec(job_id: str, **changes: Any) -> dict[str, Any]:
    """A job as it is submitted, as it travels."""
    named = {"job_id": job_id, "correlation_id": f"c-{job_id}", "doc_key": job_id, "doc_id": f"file:{job_id}"}
    fixed = {"tenant_id": "default", "source": "file", "offline": True, "again": False, "priority": 0, "segment": 0}
    here = {"lane": "compute", "half": 0, "content": None, "submission": {"source": "file", "key": job_id}}
    when = {"pipeline": "plain", "pipeline_version": "1.0+abc", "submitted_at": 1000.5}
    return {**named, **fixed, **here, **when, **changes}


def event(
    kind: str,
    jobs: Sequence[str] = (),
    stage: str | None = None,
    /,
    *,
    seq: int = 1,
    ts: float | None = None,
    batch: str | None = None,
    **data: Any,
) -> Event:
    """An event of this type about these jobs, in batch `b` where a type needs one."""
    columns = {
        column: [_OF_JOB[column]] * len(jobs)
        for column in COLUMNS.get(EventType(kind), {}).values()
        if column in _OF_JOB
    }
    made: dict[str, Any] = {**_OF_TYPE.get(kind, {}), **columns, **data}
    if kind == "job.submitted":
        made.setdefault("specs", [spec(job) for job in jobs])
    needs_stage = kind.startswith(("stage.", "gate."))
    return from_json(
        {
            "seq": seq,
            "id": f"e{seq}",
            "ts": float(seq) if ts is None else ts,
            "type": kind,
            "stage": stage or ("parse" if needs_stage else None),
            "batch": batch or ("b" if kind in ("job.claimed", "batch.expired") else None),
            "jobs": list(jobs),
            "data": made,
        }
    )


def specs(raw: Sequence[Mapping[str, Any]]) -> list[JobSpec]:
    """Jobs as a client submits them."""
    return list(map(spec_from_json, raw))


def logged(client: LedgerClient, after: int = 0, limit: int = 1000, **args: Any) -> list[dict[str, Any]]:
    """The events after number `after`, as their JSON says them."""
    return [orjson.loads(orjson.dumps(to_json(one))) for one in client.events(after, limit, **args).events]


def wire(data: EventData) -> dict[str, Any]:
    """What an engine tells, as it travels."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(draft_to_json(data)))
    return found
