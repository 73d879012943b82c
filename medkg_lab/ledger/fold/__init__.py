"""`fold`: the only place where state changes. It takes what happened as given: whether it may happen was decided before.

Nothing here reads a clock, a file or chance: the same events always give the same state.
"""

from collections.abc import Callable

from medkg_lab.ledger.events import Event, EventType
from medkg_lab.ledger.fold import batches, breakers, gates, jobs
from medkg_lab.ledger.state import State


def fold(state: State, event: Event) -> None:
    """Change `state` as `event` says. The jobs of the event must be in memory, unless it is the one that makes them."""
    _HANDLERS[event.type](state, event)
    for job_id in event.jobs:
        job = state.jobs[job_id]
        job.version += 1
        job.updated_at = event.ts
    state.seq = event.seq


_HANDLERS: dict[EventType, Callable[[State, Event], None]] = {
    EventType.DEFINITION_REGISTERED: jobs.definition_registered,
    EventType.JOB_SUBMITTED: jobs.job_submitted,
    EventType.JOB_IMPORTED: jobs.job_imported,
    EventType.JOB_CLAIMED: batches.job_claimed,
    EventType.BATCH_EXPIRED: batches.batch_expired,
    EventType.STAGE_STARTED: batches.stage_started,
    EventType.STAGE_COMPLETED: batches.stage_completed,
    EventType.STAGE_SKIPPED: batches.stage_skipped,
    EventType.STAGE_RETRYING: batches.stage_retrying,
    EventType.STAGE_FAILED: batches.stage_failed,
    EventType.JOB_ADVANCED: jobs.job_advanced,
    EventType.GATE_WAITING: gates.gate_waiting,
    EventType.JOB_COMPLETED: jobs.job_completed,
    EventType.JOB_FAILED: jobs.job_failed,
    EventType.JOB_DEAD: jobs.job_dead,
    EventType.JOB_CANCELLED: jobs.job_cancelled,
    EventType.JOB_REQUEUED: jobs.job_requeued,
    EventType.GATE_OPENED: gates.gate_opened,
    EventType.GATE_REJECTED: gates.gate_rejected,
    EventType.GATE_FAILED: gates.gate_failed,
    EventType.GATE_RELEASED: gates.gate_released,
    EventType.RUN_LAUNCHED: gates.run_launched,
    EventType.FIELD_SET: jobs.field_set,
    EventType.BREAKER_OPENED: breakers.breaker_opened,
    EventType.BREAKER_HALF_OPEN: breakers.breaker_half_open,
    EventType.BREAKER_CLOSED: breakers.breaker_closed,
}
