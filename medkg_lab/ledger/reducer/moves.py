"""How a job leaves the place where it stands and comes to another, with the counts and indexes that follow."""

from typing import Any

from medkg_lab.ledger.state import FINISHED, Gate, GateState, Job, JobState, RunStatus, State
from medkg_lab.models.events import Event, EventData


def move(state: State, job: Job, to: JobState, **changes: Any) -> None:
    """Take `job` from where it stands, apply `changes`, and put it where `to` says."""
    _leave(state, job)
    for name, value in changes.items():
        setattr(job, name, value)
    state.job_counts[job.state] -= 1
    state.job_counts[to] += 1
    job.state = to
    if to is JobState.QUEUED:
        state.queue.add(job)
    elif to in FINISHED:
        state.finished[job.id] = None


def _leave(state: State, job: Job) -> None:
    match job.state:
        case JobState.QUEUED:
            state.queue.remove(job)
        case JobState.RUNNING:
            _leave_batch(state, job)
        case JobState.WAITING_GATE:
            state.open_gates.pop(job.id, None)
            _leave_release(state, job)
        case _:
            state.finished.pop(job.id, None)


def _leave_batch(state: State, job: Job) -> None:
    batch = state.batches[job.batch or ""]
    del batch.jobs[job.id]
    if not batch.jobs:
        del state.batches[batch.id]


def _leave_release(state: State, job: Job) -> None:
    gate = job.gate
    release = state.releases.get(gate.release_id or "") if gate else None
    if release is not None:
        release.jobs.pop(job.id, None)
        if not release.jobs:
            del state.releases[release.id]


def ticket_of(event: Event, place: int) -> int:
    """The number by which jobs that an event queues are put in order."""
    return event.seq << 20 | place


def jobs_of(state: State, data: EventData) -> list[Job]:
    """The event's jobs."""
    return [state.jobs[job_id] for job_id in data.jobs]


def gate_to(state: State, job: Job, to: GateState) -> Gate:
    """Bring the gate that the job came to last into another state."""
    gate = job.gates[-1]
    state.gate_counts[gate.state] -= 1
    state.gate_counts[to] += 1
    gate.state = to
    return gate


def end_runs(job: Job, status: RunStatus, at: float) -> None:
    """End what is still running of the job's stages."""
    for run in job.stages:
        if run.status is RunStatus.RUNNING:
            run.status, run.t1 = status, at
