"""Jobs as those who ask get them."""

from typing import Any

import orjson

from medkg_lab.ledger.answers import JobDetail, JobGate, JobRow
from medkg_lab.ledger.state import Gate, Job, values_of
from medkg_lab.models.events import NO_EVIDENCE


def describe_job(job: Job, lease_until: float | None) -> JobDetail:
    """A job with all that is known of it; `lease_until` is in seconds since the epoch."""
    return JobDetail(**_values(job), lease_until=lease_until, stages=tuple(job.stages))


def list_job(job: Job) -> JobRow:
    """A job as a list shows it."""
    return JobRow(**_values(job), lease_until=None)


def _values(job: Job) -> dict[str, Any]:
    gate = job.gate
    return {
        **values_of(job.spec),
        "submission": orjson.Fragment(job.spec.submission),
        "state": job.state,
        "stage": job.stage,
        "attempt": job.attempt,
        "execution": job.execution,
        "half": job.half,
        "segment": job.segment,
        "lane": job.lane,
        "fields": job.fields,
        "outputs": job.outputs,
        "done": tuple(job.done),
        "retries": job.retries,
        "losses": job.losses,
        "unchanged": job.unchanged,
        "failure_kind": job.failure_kind,
        "reason": job.reason,
        "error": job.error,
        "own": job.own,
        "own_retries": job.own_retries,
        "gate": _gate(job, gate) if gate else None,
        "batch": job.batch,
        "run_id": job.run_id,
        "worker": job.worker,
        "profile": job.profile,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "version": job.version,
    }


def _gate(job: Job, gate: Gate) -> JobGate:
    evidence = job.evidence.get(gate.condition.ledger_field, NO_EVIDENCE)
    return JobGate(job_id=job.id, doc_id=job.spec.doc_id, **values_of(gate), evidence=evidence)
