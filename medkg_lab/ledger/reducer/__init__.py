"""`fold`: the only place where state changes. It takes what happened as given: whether it may happen was decided before.

Nothing here reads a clock, a file or chance: the same events always give the same state.
"""

from collections.abc import Callable
from typing import Any

from medkg_lab.ledger.reducer import batches, breakers, gates, jobs
from medkg_lab.ledger.state import FINISHED, State
from medkg_lab.models import events
from medkg_lab.models.events import Event


def fold(state: State, event: Event) -> None:
    """Change `state` as `event` says. The jobs of the event must be in memory, unless it is the one that makes them."""
    _HANDLERS[type(event.data)](state, event, event.data)
    for job_id in event.jobs:
        job = state.jobs[job_id]
        job.version += 1
        # That someone has seen how a job ended does not change when it ended.
        if not (isinstance(event.data, events.FieldSet | events.DocumentDeleted) and job.state in FINISHED):
            job.updated_at = event.ts
    state.seq = event.seq


_HANDLERS: dict[type, Callable[[State, Event, Any], None]] = {
    events.DefinitionRegistered: jobs.definition_registered,
    events.JobSubmitted: jobs.job_submitted,
    events.JobImported: jobs.job_imported,
    events.JobClaimed: batches.job_claimed,
    events.BatchExpired: batches.batch_expired,
    events.StageStarted: batches.stage_started,
    events.StageCompleted: batches.stage_completed,
    events.StageSkipped: batches.stage_skipped,
    events.StageRetrying: batches.stage_retrying,
    events.StageFailed: batches.stage_failed,
    events.JobAdvanced: jobs.job_advanced,
    events.GateWaiting: gates.gate_waiting,
    events.JobCompleted: jobs.job_completed,
    events.JobFailed: jobs.job_failed,
    events.JobDead: jobs.job_dead,
    events.JobCancelled: jobs.job_cancelled,
    events.JobRequeued: jobs.job_requeued,
    events.GateOpened: gates.gate_opened,
    events.GateRejected: gates.gate_rejected,
    events.GateFailed: gates.gate_failed,
    events.GateReleased: gates.gate_released,
    events.RunLaunched: gates.run_launched,
    events.FieldSet: jobs.field_set,
    events.DocumentDeleted: jobs.document_deleted,
    events.BreakerOpened: breakers.breaker_opened,
    events.BreakerHalfOpen: breakers.breaker_half_open,
    events.BreakerClosed: breakers.breaker_closed,
    events.ActNoted: lambda state, event, data: None,
}
