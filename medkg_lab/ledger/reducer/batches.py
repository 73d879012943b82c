"""What happens to batches: claimed, lost, and their stages run."""

from medkg_lab.ledger.reducer.moves import end_runs, jobs_of, move, ticket_of
from medkg_lab.ledger.state import (
    Batch,
    Job,
    JobState,
    RunStatus,
    StageRun,
    State,
)
from medkg_lab.models.events import (
    BatchExpired,
    Event,
    JobClaimed,
    StageCompleted,
    StageEvent,
    StageFailed,
    StageRetrying,
    StageSkipped,
    StageStarted,
)


def job_claimed(state: State, event: Event, data: JobClaimed) -> None:
    """An engine has taken queued jobs as a batch."""
    state.batches[data.batch] = Batch(
        data.batch,
        data.worker,
        data.lane,
        data.pipeline,
        data.pipeline_version,
        data.half,
        data.segment,
        data.stages,
        data.lease_s,
        dict.fromkeys(data.jobs),
    )
    for entry in data.entries:
        move(
            state,
            state.jobs[entry.job_id],
            JobState.RUNNING,
            batch=data.batch,
            worker=data.worker,
            attempt=entry.attempt,
            run_id=None,
            stage=None,
            profile=data.profile,
            profile_version=data.profile_version,
            policies_version=data.policies_version,
        )


def batch_expired(state: State, event: Event, data: BatchExpired) -> None:
    """The jobs still in a batch are queued again: in halves, or in order, or the one alone that the batch was lost by."""
    suspicious = data.reason != "surrendered"
    # A loss counts against the job that was alone in the batch, unless that was handed back in order.
    counted = len(data.entries) == 1 and suspicious
    first_half = (len(data.entries) + 1) // 2
    for place, entry in enumerate(data.entries):
        job = state.jobs[entry.job_id]
        end_runs(job, RunStatus.LOST, event.ts)
        suspect = suspicious if entry.over is None else entry.over
        cohort = f"{data.batch}/{int(entry.over is None and place >= first_half)}" if suspect else None
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


def stage_started(state: State, event: Event, data: StageStarted) -> None:
    """A stage is running."""
    if batch := state.batches.get(data.batch or ""):
        batch.stage = data.stage
    for job in jobs_of(state, data):
        job.stage = data.stage
        _run(job, data)


def _run(job: Job, data: StageEvent) -> StageRun:
    run = job.run_of(data.stage)
    if run is None:
        t0 = None if isinstance(data, StageRetrying) else data.t0
        run = StageRun(data.stage, job.execution, job.half, data.batch, t0=t0)
        job.stages.append(run)
    return run


def stage_completed(state: State, event: Event, data: StageCompleted) -> None:
    """A stage is behind the jobs, with its outputs."""
    for output in data.entries:
        job = state.jobs[output.job_id]
        run = _run(job, data)
        run.status, run.t0, run.t1 = RunStatus.COMPLETED, data.t0, data.t1
        run.ms, run.count = output.ms, output.items
        run.kind, run.ref = data.kind, output.ref
        run.implementation, run.device = data.implementation, data.device
        job.done[data.stage] = (run.kind, run.ref)


def stage_skipped(state: State, event: Event, data: StageSkipped) -> None:
    """A stage is behind the jobs without having run."""
    for job in jobs_of(state, data):
        run = _run(job, data)
        run.status, run.t1, run.reason = RunStatus.SKIPPED, data.t0, data.reason
        job.done[data.stage] = (None, None)


def stage_retrying(state: State, event: Event, data: StageRetrying) -> None:
    """A stage is tried again."""
    for job in jobs_of(state, data):
        run = _run(job, data)
        run.attempt, run.reason = data.attempt + 1, data.reason
        job.retries[data.stage] = job.retries.get(data.stage, 0) + 1


def stage_failed(state: State, event: Event, data: StageFailed) -> None:
    """A stage ended with an error."""
    for job in jobs_of(state, data):
        run = _run(job, data)
        run.status, run.t0, run.t1, run.attempt = RunStatus.FAILED, data.t0, data.t1, data.attempt
        run.error, run.reason = data.error, data.reason
