"""Why something is not moving: one sentence that names the blocker, and what to do about it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from medkg_lab.broker.removals import Removal
from medkg_lab.errors import LabError
from medkg_lab.ledger.errors import ROOM
from medkg_lab.ledger.own_failures import PAUSES, runs_again
from medkg_lab.stages.contracts import Lane
from medkg_lab.supervisor.decide import SILENT, State
from medkg_lab.supervisor.processes import SERVER
from medkg_lab.topology.rules import PDF_FIELD

DISK_LOW_MB = 2000.0
"""Free space that is worth a word."""
DISK_FULL_MB = ROOM / 1e6
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

    breaker: Mapping[str, Any] | None = None
    rate: Mapping[str, Any] | None = None
    gpu: str | None = None


NOTHING = Blockers()


def why_job(
    job: Mapping[str, Any],
    processes: Mapping[str, Mapping[str, Any]],
    queued_before: int,
    now: float,
    held: Blockers = NOTHING,
) -> str:
    """Say what the job waits for, or how it ended.

    `processes` is the supervisor's status by name, `queued_before` the number of jobs ahead of it in its lane, `held` what
    holds its stage up while it runs.
    """
    match job["state"]:
        case "completed":
            return f"Completed at {datetime.fromtimestamp(job['updated_at']):%H:%M}."
        case "failed":
            return (
                f"It failed at {job.get('stage') or 'the start'} ({job['failure_kind']}): {job['reason']}{_again(job)}"
            )
        case "dead":
            return f"It was given up: {job['reason']}{_again(job) or _RETRY.format(**job)}"
        case "cancelled":
            return f"It was cancelled: {job.get('reason') or 'no reason was given'}."
        case "waiting_gate":
            return _why_gate(job, processes, now)
        case "running":
            return _why_running(job, now, held)
        case _:
            return _why_queued(job, processes, queued_before)


_RETRY = " Retry it with `medkg-lab jobs retry {job_id}`."


def _again(job: Mapping[str, Any]) -> str:
    """What is added for a job that the lab runs again by itself."""
    retries = int(job.get("own_retries") or 0)
    if not runs_again(job.get("own"), retries):
        return ""
    return f" That was the lab's own {job['own']}: the lab runs it again by itself, {PAUSES[retries]:.0f} s after it ended."


def needs_person(gate: Mapping[str, Any]) -> bool:
    """Whether only a person can open a waiting gate: pages are missing, or nothing sets the field it waits for."""
    missing = bool((gate.get("evidence") or {}).get("missing_pages"))
    return gate.get("state", "waiting") == "waiting" and (missing or not _is_read(gate))


def _is_read(gate: Mapping[str, Any]) -> bool:
    """Whether the gate waits for the text of a PDF, which the pdf process reads."""
    return bool((gate.get("condition") or {}).get("ledger_field", PDF_FIELD) == PDF_FIELD)


def condition_of(gate: Mapping[str, Any]) -> str:
    """What a gate waits for, such as `reviewed = true`."""
    condition = gate.get("condition") or {}
    return f"{condition.get('ledger_field', PDF_FIELD)} = {str(condition.get('equals', True)).lower()}"


def _why_gate(job: Mapping[str, Any], processes: Mapping[str, Mapping[str, Any]], now: float) -> str:
    gate = job.get("gate") or {}
    since = _ago(now - float(gate.get("waiting_since") or job["updated_at"]))
    evidence = gate.get("evidence") or {}
    if gate.get("state") in {"open", "opened", "released"}:
        return f"Gate {gate['gate']} is open; Dagster starts the rest. {_down('dagsterd', processes)}".strip()
    if missing := evidence.get("missing_pages"):
        pages = ", ".join(map(str, missing))
        lack = f"page {pages} has no text" if len(missing) == 1 else f"pages {pages} have no text"
        return (
            f"Gate {gate.get('gate')} has been closed for {since}: {lack}. Open it without them by "
            f"`medkg-lab gate open {job['job_id']} --partial`, or `reject` it."
        )
    if not _is_read(gate):
        field = (gate.get("condition") or {}).get("ledger_field")
        has = (job.get("fields") or {}).get(field)
        said = "nobody has set it" if has is None else f"it is {str(has).lower()}"
        return (
            f"Gate {gate.get('gate')} has been closed for {since}: it waits for {condition_of(gate)}, and {said}. "
            f"`medkg-lab gate set {job['job_id']} {condition_of(gate).replace(' ', '')}` sets it."
        )
    return f"Gate {gate.get('gate')} has been closed for {since}: its text is not ready yet. {_down('pdf', processes)}".strip()


def _why_running(job: Mapping[str, Any], now: float, held: Blockers) -> str:
    stage = job.get("stage") or "first"
    if held.breaker is not None:
        return f"Its stage {stage} waits: {why_breaker(held.breaker, now)}"
    if held.gpu is not None:
        return (
            f"Its stage {stage} waits for the GPU: {held.gpu} has it, and stages on the GPU take turns. It goes on by itself; "
            f"`medkg-lab logs {held.gpu}` shows what that one does."
        )
    if held.rate is not None:
        return f"Its stage {stage} waits for its turn: {why_rate(held.rate)}"
    lease = job.get("lease_until")
    lease_left = f", lease for {max(0.0, float(lease) - now):.0f} s more" if lease else ""
    return f"It is running: stage {stage} on {job.get('worker') or 'an engine'}{lease_left}."


def _why_queued(job: Mapping[str, Any], processes: Mapping[str, Mapping[str, Any]], queued_before: int) -> str:
    engine = f"engine-{job['lane']}"
    loading = [name for name, seen in processes.items() if name.startswith(SERVER) and seen["state"] == State.STARTING]
    if job["lane"] == Lane.COMPUTE and loading:
        names = ", ".join(loading)
        return f"It is queued while {names} loads its model. `medkg-lab logs {loading[0]}` shows how far that is."
    if down := _down(engine, processes):
        return f"It is queued. {down}"
    if queued_before:
        return f"It is queued behind {queued_before} jobs for {engine}."
    return f"It is next in the queue of {engine}."


def _down(name: str, processes: Mapping[str, Mapping[str, Any]]) -> str:
    seen = processes.get(name)
    if seen is None or seen["state"] == State.READY:
        return ""
    reason = f": {seen['reason']}" if seen.get("reason") else ""
    if seen["state"] == SILENT:
        return f"Process {name} {seen['reason']}."
    if seen["state"] == State.STARTING:
        return f"Process {name} is starting{reason or ' and loads its models'}; the job goes on when it is ready."
    return f"Process {name} is {seen['state']}{reason}. `medkg-lab restart {name}` or `medkg-lab logs {name}`."


def why_process(seen: Mapping[str, Any]) -> str:
    """Say why a process is not ready, or that it is."""
    name, state = seen["name"], seen["state"]
    if state == State.READY:
        return f"{name} is ready."
    if state == SILENT:
        return f"{name} {seen['reason']}."
    reason = f": {seen['reason']}" if seen.get("reason") else ""
    remedy = f" `medkg-lab restart {name}` once that is fixed." if state == State.GIVEN_UP else ""
    return f"{name} is {state}{reason}.{remedy}"


def why_breaker(breaker: Mapping[str, Any], now: float) -> str:
    """Say how long a circuit stays open, and why it is."""
    left = float(breaker.get("until") or now) - now
    if left <= 0:
        return (
            f"The circuit {breaker['policy']} {breaker['key']} is half-open: the next call tests it. It opened because calls "
            f"failed {breaker['failures']} times in a row."
        )
    return (
        f"The circuit {breaker['policy']} {breaker['key']} is open for {left:.0f} s more, because calls failed "
        f"{breaker['failures']} times in a row. It is tried again by itself; `medkg-lab doctor` looks at what is called."
    )


def why_rate(rate: Mapping[str, Any]) -> str:
    """Say which rate is used up, and when its next call is."""
    return (
        f"Policy {rate['policy']} allows {rate['rate_per_s']:g} calls a second to {rate['key']}, and they are used up; the "
        f"next is in {rate['wait_s']:.1f} s. If the service allows more, raise `rate_limit_per_second` in policies.yaml."
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
