"""Answers of the lab's processes for unit tests, of which a test names only what it is about."""

from typing import Any

from medkg_lab.lab.job_queries import ListedJob
from medkg_lab.ledger.answers import CircuitRow, ClaimedBatch, Counts, GateRow, JobDetail, read
from medkg_lab.tui.messages import WatchedLab, WatchedProcess

_GATE: dict[str, Any] = {
    "job_id": "j", "doc_id": "pmc:1", "gate": "g", "execution": 1, "state": "waiting", "stages": [], "waiting_since": 0.0,
    "condition": {"ledger_field": "pdf_ir_ready", "equals": True}, "evidence": {}, "opened_at": None, "opened_by": None,
    "how": None, "why": None, "partial": False, "release_id": None, "resume_segment": 1, "resume_lane": "compute",
}  # fmt: skip
_JOB: dict[str, Any] = {
    "job_id": "j", "tenant_id": "default", "correlation_id": "c", "source": "pmc", "doc_key": "1", "doc_id": "pmc:1",
    "pipeline": "standard", "pipeline_version": "1", "offline": False, "again": False, "priority": 0, "segment": 0,
    "lane": "compute", "half": 1, "content": None, "submission": {}, "submitted_at": 0.0, "state": "queued", "stage": None,
    "attempt": 1, "execution": 1, "fields": {}, "outputs": {}, "done": [], "retries": {}, "losses": 0, "unchanged": False,
    "failure_kind": None, "reason": None, "error": None, "own": None, "own_retries": 0, "gate": None, "batch": None,
    "run_id": None, "worker": None, "lease_until": None, "profile": None, "created_at": 0.0, "updated_at": 0.0,
    "version": 1, "stages": [],
}  # fmt: skip
_RUN: dict[str, Any] = {"execution": 1, "half": 1, "batch": None}
_LISTED: dict[str, Any] = {
    "job_id": "j", "doc_id": "pmc:1", "pipeline_name": "standard", "state": "queued", "current_stage": None, "attempt": 1,
    "execution": 1, "created_at": 0.0, "updated_at": 0.0, "failure_kind": None, "reason": None, "run_id": None,
    "worker": None, "source": "pmc", "began_at": 0.0,
}  # fmt: skip


def job(**given: Any) -> JobDetail:
    """A job with these fields, as they travel; its gate and stages may leave fields out as well."""
    if given.get("gate") is not None:
        given["gate"] = _GATE | given["gate"]
    given["stages"] = [_RUN | run for run in given.get("stages", ())]
    return read(_JOB | given, JobDetail)


def gate(**given: Any) -> GateRow:
    """A gate with these fields, as they travel."""
    return read(_GATE | given, GateRow)


def listed(**given: Any) -> ListedJob:
    """A job in the screen's list with these fields."""
    return read(_LISTED | given, ListedJob)


def counts(**given: Any) -> Counts:
    """Counts, of which those that are not given are none."""
    return read({"jobs": {}, "gates": {}, "head": 0, "queued_by_lane": {}} | given, Counts)


def circuit(**given: Any) -> CircuitRow:
    """An open circuit with these fields."""
    told = {
        "policy": "polite-api",
        "key": "pmc",
        "state": "open",
        "failures": 5,
        "opened_at": 0.0,
        "until": None,
        "owner": None,
    }
    return read(told | given, CircuitRow)


def process(name: str, state: str = "ready", **given: Any) -> WatchedProcess:
    """A process with these fields."""
    told = {
        "pid": 1, "restarts": 0, "failures": 0, "silent_seconds": 0.0, "after": [], "rss_mb": None, "cpu_seconds": 0.0,
        "port": None, "reason": "", "since": None, "slow": False,
    }  # fmt: skip
    return read(told | {"name": name, "state": state} | given, WatchedProcess)


def lab(*processes: WatchedProcess, profile: str = "cpu") -> WatchedLab:
    """A lab of these processes."""
    return WatchedLab(
        home="/home/lab", pid=1, since=0.0, stopping=False, profile=profile, notes=(), processes=processes
    )


def batch(batch_id: str) -> ClaimedBatch:
    """A batch without jobs."""
    told = {
        "pipeline": "standard",
        "pipeline_version": "1",
        "half": 1,
        "segment": 0,
        "lane": "compute",
        "lease_s": 60.0,
    }
    return read(told | {"batch_id": batch_id, "stages": [], "jobs": []}, ClaimedBatch)
