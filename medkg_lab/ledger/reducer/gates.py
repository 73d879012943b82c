"""What happens at gates, and how jobs go on after them."""

from medkg_lab.ledger.reducer.moves import gate_to, jobs_of, move, ticket_of
from medkg_lab.ledger.state import (
    Gate,
    GateState,
    JobState,
    Release,
    State,
)
from medkg_lab.models.events import (
    Event,
    GateFailed,
    GateOpened,
    GateRejected,
    GateReleased,
    GateWaiting,
    RunLaunched,
)


def gate_waiting(state: State, event: Event, data: GateWaiting) -> None:
    """Jobs wait at a gate."""
    for job in jobs_of(state, data):
        move(state, job, JobState.WAITING_GATE, stage=data.gate, batch=None, worker=None, cohort=None, losses=0)
        gate = Gate(
            data.gate,
            job.execution,
            GateState.WAITING,
            data.condition,
            data.resume_segment,
            data.resume_lane,
            data.stages,
            event.ts,
        )
        job.gates.append(gate)
        state.gate_counts[GateState.WAITING] += 1


def gate_opened(state: State, event: Event, data: GateOpened) -> None:
    """A gate is open; the document behind its field is an output of the job from here on."""
    for job in jobs_of(state, data):
        gate = gate_to(state, job, GateState.OPEN)
        gate.opened_at, gate.opened_by, gate.how = event.ts, data.by, data.how
        gate.why, gate.partial = data.why, data.partial
        evidence = job.evidence.get(gate.condition.ledger_field)
        document = evidence.document if evidence else None
        job.done[gate.gate] = ("document", document) if document else (None, None)
        state.open_gates[job.id] = None


def gate_rejected(state: State, event: Event, data: GateRejected) -> None:
    """A person refused to open a gate."""
    for job in jobs_of(state, data):
        gate = gate_to(state, job, GateState.REJECTED)
        gate.opened_by, gate.why = data.by, data.why


def gate_failed(state: State, event: Event, data: GateFailed) -> None:
    """What a gate waits for will not come."""
    for job in jobs_of(state, data):
        gate = gate_to(state, job, GateState.FAILED)
        gate.opened_by, gate.why = data.by, data.reason
        job.remember(data.evidence)


def gate_released(state: State, event: Event, data: GateReleased) -> None:
    """Jobs with open gates wait for one run to take them on."""
    jobs = jobs_of(state, data)
    state.releases[data.release_id] = Release(
        data.release_id,
        data.pipeline,
        data.pipeline_version,
        jobs[0].half + 1,
        data.segment,
        dict.fromkeys(data.jobs),
    )
    for job in jobs:
        state.open_gates.pop(job.id, None)
        gate_to(state, job, GateState.RELEASED).release_id = data.release_id


def run_launched(state: State, event: Event, data: RunLaunched) -> None:
    """Jobs are queued for a run: those of a release beyond their gate, others where they stand."""
    for place, job in enumerate(jobs_of(state, data)):
        changes: dict[str, object] = {
            "run_id": data.run_id,
            "cohort": None,
            "ticket": ticket_of(event, place),
            "attempt": 0,
        }
        gate = job.gate
        if job.state is JobState.WAITING_GATE and gate is not None:
            changes |= {"half": job.half + 1, "segment": gate.resume_segment, "lane": gate.resume_lane, "stage": None}
            job.fields["post_pdf_started"] = True
        move(state, job, JobState.QUEUED, **changes)
