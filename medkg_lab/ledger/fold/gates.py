"""What happens at gates, and how jobs go on after them."""

from typing import Any

from medkg_lab.ledger.events import Event
from medkg_lab.ledger.fold.moves import gate_to, jobs_of, move, ticket_of
from medkg_lab.ledger.state import (
    Gate,
    GateState,
    JobState,
    Release,
    State,
)


def gate_waiting(state: State, event: Event) -> None:
    """Jobs wait at a gate."""
    data, name = event.data, event.stage or ""
    for job in jobs_of(state, event):
        move(state, job, JobState.WAITING_GATE, stage=name, batch=None, worker=None, cohort=None, losses=0)
        gate = Gate(
            name,
            job.execution,
            GateState.WAITING,
            dict(data["condition"]),
            data["resume_segment"],
            data["resume_lane"],
            list(data["stages"]),
            event.ts,
        )
        job.gates.append(gate)
        state.gate_counts[GateState.WAITING] += 1


def gate_opened(state: State, event: Event) -> None:
    """A gate is open; the document behind its field is an output of the job from here on."""
    data = event.data
    for job in jobs_of(state, event):
        gate = gate_to(state, job, GateState.OPEN)
        gate.opened_at, gate.opened_by, gate.how = event.ts, data["by"], data["how"]
        gate.why, gate.partial = data["why"], data["partial"]
        document = job.evidence.get(gate.condition["ledger_field"], {}).get("document")
        job.done[gate.gate] = ("document", document) if document else (None, None)
        state.open_gates[job.id] = None


def gate_rejected(state: State, event: Event) -> None:
    """A person refused to open a gate."""
    for job in jobs_of(state, event):
        gate = gate_to(state, job, GateState.REJECTED)
        gate.opened_by, gate.why = event.data["by"], event.data["why"]


def gate_failed(state: State, event: Event) -> None:
    """What a gate waits for will not come."""
    for job in jobs_of(state, event):
        gate = gate_to(state, job, GateState.FAILED)
        gate.opened_by, gate.why = event.data["by"], event.data["reason"]


def gate_released(state: State, event: Event) -> None:
    """Jobs with open gates wait for one run to take them on."""
    data, jobs = event.data, jobs_of(state, event)
    release_id = data["release_id"]
    state.releases[release_id] = Release(
        release_id,
        data["pipeline"],
        data["pipeline_version"],
        jobs[0].half + 1,
        data["segment"],
        dict.fromkeys(event.jobs),
    )
    for job in jobs:
        state.open_gates.pop(job.id, None)
        gate_to(state, job, GateState.RELEASED).release_id = release_id


def run_launched(state: State, event: Event) -> None:
    """Jobs are queued for a run: those of a release beyond their gate, others where they stand."""
    run_id = event.data["run_id"]
    for place, job in enumerate(jobs_of(state, event)):
        changes: dict[str, Any] = {"run_id": run_id, "cohort": None, "ticket": ticket_of(event, place), "attempt": 0}
        gate = job.gate
        if job.state is JobState.WAITING_GATE and gate is not None:
            changes |= {"half": job.half + 1, "segment": gate.resume_segment, "lane": gate.resume_lane, "stage": None}
            job.fields["post_pdf_started"] = True
        move(state, job, JobState.QUEUED, **changes)
