"""What happens to batches: claimed, lost, and their stages run."""

from collections.abc import Sequence

from medkg_lab.ledger.events import Event
from medkg_lab.ledger.fold.moves import end_runs, jobs_of, move, per_job, ticket_of
from medkg_lab.ledger.state import (
    Batch,
    Job,
    JobState,
    StageRun,
    State,
)


def alone(event: Event) -> bool:
    """Whether a lost batch counts against its job: it was the only one, and the batch was not handed back in order."""
    return len(event.jobs) == 1 and event.data["reason"] != "surrendered"


def job_claimed(state: State, event: Event) -> None:
    """An engine has taken queued jobs as a batch."""
    data, batch_id = event.data, event.batch or ""
    state.batches[batch_id] = Batch(
        batch_id,
        data["worker"],
        data["lane"],
        data["pipeline"],
        data["pipeline_version"],
        data["half"],
        data["segment"],
        tuple(data["stages"]),
        data["lease_s"],
        dict.fromkeys(event.jobs),
    )
    stamps = {key: data.get(key) for key in ("profile", "profile_version", "policies_version")}
    for job, attempt in zip(jobs_of(state, event), data["attempts"], strict=True):
        changes = {"batch": batch_id, "worker": data["worker"], "attempt": attempt, "run_id": None, "stage": None}
        move(state, job, JobState.RUNNING, **changes, **stamps)


def batch_expired(state: State, event: Event) -> None:
    """The jobs still in a batch are queued again: in halves, or in order, or the one alone that the batch was lost by."""
    counted, suspicious = alone(event), event.data["reason"] != "surrendered"
    over: Sequence[bool] = event.data.get("over") or ()
    first_half = (len(event.jobs) + 1) // 2
    for place, job in enumerate(jobs_of(state, event)):
        end_runs(job, "lost", event.ts)
        suspect = over[place] if over else suspicious
        cohort = f"{event.batch}/{int(not over and place >= first_half)}" if suspect else None
        move(
            state,
            job,
            JobState.QUEUED,
            cohort=cohort,
            losses=job.losses + counted,
            execution=job.execution + 1,
            ticket=ticket_of(event, place),
            batch=None,
            worker=None,
            stage=None,
        )


def stage_started(state: State, event: Event) -> None:
    """A stage is running."""
    stage = event.stage or ""
    if batch := state.batches.get(event.batch or ""):
        batch.stage = stage
    for job in jobs_of(state, event):
        job.stage = stage
        _run(job, event)


def _run(job: Job, event: Event) -> StageRun:
    run = job.run_of(event.stage or "")
    if run is None:
        run = StageRun(event.stage or "", job.execution, job.half, event.batch, t0=event.data.get("t0"))
        job.stages.append(run)
    return run


def stage_completed(state: State, event: Event) -> None:
    """A stage is behind the jobs, with its outputs."""
    data, stage = event.data, event.stage or ""
    for place, job in enumerate(jobs_of(state, event)):
        run = _run(job, event)
        run.status, run.t0, run.t1 = "completed", data["t0"], data["t1"]
        run.ms, run.count = per_job(event, "ms", place), per_job(event, "counts", place)
        run.kind, run.ref = data["kind"], per_job(event, "refs", place)
        run.implementation, run.device = data["implementation"], data["device"]
        job.done[stage] = (run.kind, run.ref)


def stage_skipped(state: State, event: Event) -> None:
    """A stage is behind the jobs without having run."""
    for job in jobs_of(state, event):
        run = _run(job, event)
        run.status, run.t1, run.reason = "skipped", event.data.get("t0"), event.data["reason"]
        job.done[event.stage or ""] = (None, None)


def stage_retrying(state: State, event: Event) -> None:
    """A stage is tried again."""
    stage = event.stage or ""
    for job in jobs_of(state, event):
        run = _run(job, event)
        run.attempt, run.reason = event.data["attempt"] + 1, event.data["reason"]
        job.retries[stage] = job.retries.get(stage, 0) + 1


def stage_failed(state: State, event: Event) -> None:
    """A stage ended with an error."""
    data = event.data
    for job in jobs_of(state, event):
        run = _run(job, event)
        run.status, run.t0, run.t1, run.attempt = "failed", data["t0"], data["t1"], data["attempt"]
        run.error, run.reason = data["error"], data["reason"]
