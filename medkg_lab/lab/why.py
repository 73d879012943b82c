"""Why something is not moving: one sentence that names the blocker, and what to do about it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from medkg_lab.broker.removals import Removal
from medkg_lab.errors import LabError
from medkg_lab.ledger.answers import AnyGate, CircuitRow, JobRow
from medkg_lab.ledger.errors import MIN_FREE_BYTES
from medkg_lab.ledger.own_failures import PAUSES, runs_again
from medkg_lab.ledger.rates import Spent
from medkg_lab.ledger.state import GateState, JobState
from medkg_lab.models.events import PDF_IR_READY
from medkg_lab.supervisor.answers import ProcessRow
from medkg_lab.supervisor.decide import SILENT, State

DISK_LOW_MB = 2000.0
"""Free space that is worth a word."""
DISK_FULL_MB = MIN_FREE_BYTES / 1e6
"""The ledger takes nothing while less than this is free."""


class NoRoomOnDisk(LabError):
    """The disk of {path} is full: {free_mb:.0f} MB are left, and nothing is taken until there is room. Nothing is lost; make
    room, and it goes on by itself."""


@dataclass(frozen=True)
class Blockers:
    """What holds a stage up while it runs: each None when it does not.

    `breaker` is the open circuit of the stage's policy; `rate` the policy's rate while it is used up; `gpu` the name of the
    process that has the GPU while this one waits for it.
    """

    breaker: CircuitRow | None = None
    rate: Spent | None = None
    gpu: str | None = None


NOTHING = Blockers()


def why_job(
    job: JobRow,
    processes: Mapping[str, ProcessRow],
    queued_before: int,
    now: float,
    held: Blockers = NOTHING,
) -> str:
    """Say what the job waits for, or how it ended.

    `processes` is the supervisor's status by name, `queued_before` the number of jobs ahead of it in its lane, `held` what
    holds its stage up while it runs.
    """
    match job.state:
        case JobState.COMPLETED:
            return f"Completed at {datetime.fromtimestamp(job.updated_at):%H:%M}."
        case JobState.FAILED:
            return f"It failed at {job.stage or 'the start'} ({job.failure_kind}): {job.reason}{_again(job)}"
        case JobState.DEAD:
            return f"It was given up: {job.reason}{_again(job) or _RETRY.format(job_id=job.job_id)}"
        case JobState.CANCELLED:
            return f"It was cancelled: {job.reason or 'no reason was given'}."
        case JobState.WAITING_GATE:
            return _why_gate(job, processes, now)
        case JobState.RUNNING:
            return _why_running(job, now, held)
        case _:
            return _why_queued(job, processes, queued_before)


_RETRY = " Retry it with `medkg-lab jobs retry {job_id}`."


def _again(job: JobRow) -> str:
    """What is added for a job that the lab runs again by itself."""
    if not runs_again(job.own, job.own_retries):
        return ""
    pause = PAUSES[job.own_retries]
    return f" That was the lab's own {job.own}: the lab runs it again by itself, {pause:.0f} s after it ended."


def needs_person(gate: AnyGate) -> bool:
    """Whether only a person can open a waiting gate: pages are missing, or nothing sets the field it waits for."""
    return gate.state is GateState.WAITING and (bool(gate.evidence.missing_pages) or not _is_read(gate))


def _is_read(gate: AnyGate) -> bool:
    """Whether the gate waits for the text of a PDF, which the pdf process reads."""
    return gate.condition.ledger_field == PDF_IR_READY


def condition_of(gate: AnyGate) -> str:
    """What a gate waits for, such as `reviewed = true`."""
    return f"{gate.condition.ledger_field} = {str(gate.condition.equals).lower()}"


def _why_gate(job: JobRow, processes: Mapping[str, ProcessRow], now: float) -> str:
    gate = job.gate
    assert gate is not None, "a job that waits at a gate has one"
    since = _ago(now - gate.waiting_since)
    if gate.state in (GateState.OPEN, GateState.RELEASED):
        return f"Gate {gate.gate} is open; Dagster starts the rest. {_down('dagsterd', processes)}".strip()
    if missing := gate.evidence.missing_pages:
        pages = ", ".join(map(str, missing))
        lack = f"page {pages} has no text" if len(missing) == 1 else f"pages {pages} have no text"
        return (
            f"Gate {gate.gate} has been closed for {since}: {lack}. Open it without them by "
            f"`medkg-lab gate open {job.job_id} --partial`, or `reject` it."
        )
    if not _is_read(gate):
        has = job.fields.get(gate.condition.ledger_field)
        said = "nobody has set it" if has is None else f"it is {str(has).lower()}"
        return (
            f"Gate {gate.gate} has been closed for {since}: it waits for {condition_of(gate)}, and {said}. "
            f"`medkg-lab gate set {job.job_id} {condition_of(gate).replace(' ', '')}` sets it."
        )
    return f"Gate {gate.gate} has been closed for {since}: its text is not ready yet. {_down('pdf', processes)}".strip()


def _why_running(job: JobRow, now: float, held: Blockers) -> str:
    stage = job.stage or "first"
    if held.breaker is not None:
        return f"Its stage {stage} waits: {why_breaker(held.breaker, now)}"
    if held.gpu is not None:
        return (
            f"Its stage {stage} waits for the GPU: {held.gpu} has it, and stages on the GPU take turns. It goes on by itself; "
            f"`medkg-lab logs {held.gpu}` shows what that one does."
        )
    if held.rate is not None:
        return f"Its stage {stage} waits for its turn: {why_rate(held.rate)}"
    lease_left = f", lease for {max(0.0, job.lease_until - now):.0f} s more" if job.lease_until else ""
    return f"It is running: stage {stage} on {job.worker or 'an engine'}{lease_left}."


def _why_queued(job: JobRow, processes: Mapping[str, ProcessRow], queued_before: int) -> str:
    # Here, so that the screen's first frame waits neither for the models of documents nor for the brokers.
    from medkg_lab.stages.contracts import Lane
    from medkg_lab.supervisor.processes import SERVER

    engine = f"engine-{job.lane}"
    loading = [name for name, seen in processes.items() if name.startswith(SERVER) and seen.state == State.STARTING]
    if job.lane == Lane.COMPUTE and loading:
        names = ", ".join(loading)
        return f"It is queued while {names} loads its model. `medkg-lab logs {loading[0]}` shows how far that is."
    if down := _down(engine, processes):
        return f"It is queued. {down}"
    if queued_before:
        return f"It is queued behind {queued_before} jobs for {engine}."
    return f"It is next in the queue of {engine}."


def _down(name: str, processes: Mapping[str, ProcessRow]) -> str:
    seen = processes.get(name)
    if seen is None or seen.state == State.READY:
        return ""
    reason = f": {seen.reason}" if seen.reason else ""
    if seen.state == SILENT:
        return f"Process {name} {seen.reason}."
    if seen.state == State.STARTING:
        return f"Process {name} is starting{reason or ' and loads its models'}; the job goes on when it is ready."
    return f"Process {name} is {seen.state}{reason}. `medkg-lab restart {name}` or `medkg-lab logs {name}`."


def why_process(seen: ProcessRow) -> str:
    """Say why a process is not ready, or that it is."""
    name, state = seen.name, seen.state
    if state == State.READY:
        return f"{name} is ready."
    if state == SILENT:
        return f"{name} {seen.reason}."
    reason = f": {seen.reason}" if seen.reason else ""
    remedy = f" `medkg-lab restart {name}` once that is fixed." if state == State.GIVEN_UP else ""
    return f"{name} is {state}{reason}.{remedy}"


def why_breaker(breaker: CircuitRow, now: float) -> str:
    """Say how long a circuit stays open, and why it is."""
    left = (breaker.until or now) - now
    if left <= 0:
        return (
            f"The circuit {breaker.policy} {breaker.key} is half-open: the next call tests it. It opened because calls "
            f"failed {breaker.failures} times in a row."
        )
    return (
        f"The circuit {breaker.policy} {breaker.key} is open for {left:.0f} s more, because calls failed "
        f"{breaker.failures} times in a row. It is tried again by itself; `medkg-lab doctor` looks at what is called."
    )


def why_rate(rate: Spent) -> str:
    """Say which rate is used up, and when its next call is."""
    return (
        f"Policy {rate.policy} allows {rate.rate_per_s:g} calls a second to {rate.key}, and they are used up; the "
        f"next is in {rate.wait_s:.1f} s. If the service allows more, raise `rate_limit_per_second` in policies.yaml."
    )


def why_disk(path: object, free_mb: float) -> str | None:
    """Say what too little room on the disk of `path` means; None while there is enough."""
    if free_mb < DISK_FULL_MB:
        return str(NoRoomOnDisk(path=path, free_mb=free_mb))
    if free_mb < DISK_LOW_MB:
        return f"The disk of {path} has only {free_mb:.0f} MB left; with less than {DISK_FULL_MB:.0f} nothing is taken."
    return None


def why_removed(removal: Removal, now: float) -> str:
    """Say what somebody deleted from a topic, and how to find out what it changes."""
    when = f"{_ago(max(0.0, now - removal.at))} ago by account {removal.account}"
    remedy = "`medkg-lab verify` shows what that changes."
    if removal.partition is None:
        return (
            f"Topic {removal.topic} was deleted {when}, with {removal.records} records, and made again empty. {remedy}"
        )
    return f"{removal.records} records of {removal.topic}-{removal.partition} were deleted {when}. {remedy}"


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
