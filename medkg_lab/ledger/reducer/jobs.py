"""What happens to jobs: made, done with, run again."""

from medkg_lab.ledger.own_failures import due_at
from medkg_lab.ledger.reducer.moves import end_runs, gate_to, jobs_of, move, ticket_of
from medkg_lab.ledger.state import Definition, GateState, Job, JobState, Published, RunStatus, State
from medkg_lab.models.events import (
    DELETED,
    NO_EVIDENCE,
    DefinitionRegistered,
    DocumentDeleted,
    Event,
    FieldSet,
    JobAdvanced,
    JobCancelled,
    JobCompleted,
    JobDead,
    JobFailed,
    JobImported,
    JobRequeued,
    JobSubmitted,
)


def definition_registered(state: State, event: Event, data: DefinitionRegistered) -> None:
    """A definition is known from here on."""
    definition = Definition(data.kind, data.name, data.version, data.content, event.seq)
    state.definitions[definition.kind, definition.name, definition.version] = definition


def job_submitted(state: State, event: Event, data: JobSubmitted) -> None:
    """New jobs are queued."""
    for place, spec in enumerate(data.entries):
        ticket = ticket_of(event, place)
        job = Job(
            spec,
            age=ticket,
            ticket=ticket,
            state=JobState.QUEUED,
            segment=spec.segment,
            half=spec.half,
            lane=spec.lane,
            created_at=event.ts,
            updated_at=event.ts,
        )
        state.jobs[job.id] = job
        state.job_counts[JobState.QUEUED] += 1
        state.queue.add(job)


def job_imported(state: State, event: Event, data: JobImported) -> None:
    """Jobs of an older ledger are here, as they stood there."""
    for place, entry in enumerate(data.entries):
        spec = entry.spec
        ticket = ticket_of(event, place)
        job = Job(
            spec,
            age=ticket,
            ticket=ticket,
            state=JobState(entry.state),
            segment=spec.segment,
            half=spec.half,
            lane=spec.lane,
            created_at=entry.created_at,
            updated_at=event.ts,
            stage=entry.stage,
            fields=dict(entry.fields),
            retries=dict(entry.retries),
            reason=entry.reason,
        )
        state.job_counts[job.state] += 1
        state.adopt(job)


def job_advanced(state: State, event: Event, data: JobAdvanced) -> None:
    """Jobs are queued for their next segment, free of any suspicion."""
    for place, job in enumerate(jobs_of(state, data)):
        move(
            state,
            job,
            JobState.QUEUED,
            segment=data.segment,
            lane=data.lane,
            ticket=ticket_of(event, place),
            attempt=0,
            cohort=None,
            losses=0,
            batch=None,
            worker=None,
            stage=None,
        )


def job_completed(state: State, event: Event, data: JobCompleted) -> None:
    """Jobs ended well; their documents are those that were published last."""
    for entry in data.entries:
        job, content = state.jobs[entry.job_id], entry.content
        move(state, job, JobState.COMPLETED, content=content, unchanged=data.unchanged, stage=None, worker=None)
        if not data.unchanged:
            spec = job.spec
            key = (spec.tenant_id, spec.doc_id)
            state.documents[key] = Published(
                job.id, spec.pipeline, spec.pipeline_version, job.profile_version, content, event.ts
            )
            state.documents.move_to_end(key)


def job_failed(state: State, event: Event, data: JobFailed) -> None:
    """Jobs ended with an error."""
    failure = {"failure_kind": data.kind, "reason": data.reason, "error": data.error}
    for job in jobs_of(state, data):
        end_runs(job, RunStatus.FAILED, event.ts)
        move(state, job, JobState.FAILED, stage=data.stage, worker=None, own=data.own, **failure)
        _note_own(state, job, event.ts)


def job_dead(state: State, event: Event, data: JobDead) -> None:
    """Jobs are given up: they brought down every engine that took them."""
    for job in jobs_of(state, data):
        move(state, job, JobState.DEAD, failure_kind="worker_lost", reason=data.reason, own=data.own)
        _note_own(state, job, event.ts)


def _note_own(state: State, job: Job, at: float) -> None:
    """Have the lab run the job again by itself, if it was the lab's own fault."""
    due = due_at(job.own, job.own_retries, at)
    if due is not None:
        state.own_failures[job.id] = due


def job_cancelled(state: State, event: Event, data: JobCancelled) -> None:
    """Jobs are ended by someone."""
    for job in jobs_of(state, data):
        if job.state is JobState.RUNNING and (batch := state.batches.get(job.batch or "")):
            batch.cancelled.append(job.id)
        if job.state is JobState.WAITING_GATE and job.gates[-1].state not in _CLOSED_GATES:
            gate_to(state, job, GateState.CANCELLED)
        end_runs(job, RunStatus.CANCELLED, event.ts)
        move(state, job, JobState.CANCELLED, reason=data.why, worker=None)


def job_requeued(state: State, event: Event, data: JobRequeued) -> None:
    """Finished jobs are run again; what they keep and forget stands in the event."""
    for place, job in enumerate(jobs_of(state, data)):
        for name in data.clear:
            job.fields.pop(name, None)
            job.put_evidence(name, None)
        state.own_failures.pop(job.id, None)
        move(
            state,
            job,
            JobState.QUEUED,
            segment=data.segment,
            half=data.half,
            lane=data.lane,
            done={stage: output for stage, output in job.done.items() if stage in data.keep},
            execution=job.execution + 1,
            attempt=0,
            losses=data.losses,
            own=None,
            own_retries=data.own_retries,
            cohort=None,
            run_id=None,
            batch=None,
            stage=None,
            unchanged=False,
            content=None,
            failure_kind=None,
            reason=None,
            error=None,
            ticket=ticket_of(event, place),
        )


def field_set(state: State, event: Event, data: FieldSet) -> None:
    """A field of a job has a value, with what stands behind it."""
    for job in jobs_of(state, data):
        job.fields[data.field] = data.value
        if data.evidence != NO_EVIDENCE:
            job.put_evidence(data.field, data.evidence)


def document_deleted(state: State, event: Event, data: DocumentDeleted) -> None:
    """A document is gone: its jobs stay with their histories, without what they made."""
    for job in jobs_of(state, data):
        job.fields[DELETED] = True
        job.evidence, job.earlier, job.done, job.content = {}, [], {}, None
        for run in job.stages:
            run.ref = None
        state.own_failures.pop(job.id, None)
    state.documents[data.tenant_id, data.doc_id] = None
    state.documents.move_to_end((data.tenant_id, data.doc_id))


_CLOSED_GATES = frozenset({GateState.REJECTED, GateState.FAILED})
