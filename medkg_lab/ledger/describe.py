"""Jobs, gates and events as those who ask get them."""

from collections.abc import Mapping
from typing import Any

from medkg_lab.ledger.state import Gate, Job, StageRun, values_of
from medkg_lab.models.event_codec import evidence_to_json, spec_to_json
from medkg_lab.models.events import NO_EVIDENCE


def describe_job(job: Job, lease_until: float | None, with_stages: bool = True) -> dict[str, Any]:
    """A job with all that is known of it; `lease_until` is in seconds since the epoch."""
    gate = job.gate
    values = {
        **spec_to_json(job.spec),
        "state": job.state,
        "stage": job.stage,
        "attempt": job.attempt,
        "execution": job.execution,
        "half": job.half,
        "segment": job.segment,
        "lane": job.lane,
        "fields": job.fields,
        "outputs": job.outputs,
        "done": list(job.done),
        "retries": job.retries,
        "losses": job.losses,
        "unchanged": job.unchanged,
        "failure_kind": job.failure_kind,
        "reason": job.reason,
        "error": job.error,
        "own": job.own,
        "own_retries": job.own_retries,
        "gate": describe_gate(job, gate) if gate else None,
        "batch": job.batch,
        "run_id": job.run_id,
        "worker": job.worker,
        "lease_until": lease_until,
        "profile": job.profile,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "version": job.version,
    }
    return {**values, "stages": list(map(describe_run, job.stages))} if with_stages else values


def describe_gate(job: Job, gate: Gate) -> dict[str, Any]:
    """A gate of a job."""
    evidence = job.evidence.get(gate.condition.ledger_field, NO_EVIDENCE)
    return {"job_id": job.id, "doc_id": job.spec.doc_id, **values_of(gate), "evidence": evidence_to_json(evidence)}


def describe_run(run: StageRun) -> Mapping[str, Any]:
    """A stage run."""
    return values_of(run)
