"""Why something is not moving: one sentence that names the blocker, and what to do about it. Pure."""

from collections.abc import Mapping
from typing import Any

from medkg_lab.supervisor.decide import State


def why_job(
    job: Mapping[str, Any],
    processes: Mapping[str, Mapping[str, Any]],
    queued_before: int,
    now: float,
    breaker: Mapping[str, Any] | None = None,
) -> str:
    """Say what the job waits for, or how it ended.

    `processes` is the supervisor's status by name, `queued_before` the number of jobs ahead of it in its lane, `breaker` the
    circuit that is open for the policy of its stage, if one is.
    """
    match job["state"]:
        case "completed":
            return "It has completed."
        case "failed":
            return f"It failed at {job.get('stage') or 'the start'} ({job['failure_kind']}): {job['reason']}"
        case "dead":
            return f"It was given up: {job['reason']} Retry it with `medkg-lab jobs retry {job['job_id']}`."
        case "cancelled":
            return f"It was cancelled: {job.get('reason') or 'no reason was given'}."
        case "waiting_gate":
            return _why_gate(job, processes, now)
        case "running":
            return _why_running(job, now, breaker)
        case _:
            return _why_queued(job, processes, queued_before)


def _why_gate(job: Mapping[str, Any], processes: Mapping[str, Mapping[str, Any]], now: float) -> str:
    gate = job.get("gate") or {}
    since = _ago(now - float(gate.get("waiting_since") or job["updated_at"]))
    evidence = gate.get("evidence") or {}
    if gate.get("state") in {"open", "opened", "released"}:
        return f"Gate {gate['gate']} is open; Dagster starts the rest. {_down('dagsterd', processes)}".strip()
    if missing := evidence.get("missing_pages"):
        pages = ", ".join(map(str, missing))
        return (
            f"Gate {gate.get('gate')} has been closed for {since}: pages {pages} have no text. Open it without them by "
            f"`medkg-lab gate open {job['job_id']} --partial`, or `reject` it."
        )
    return f"Gate {gate.get('gate')} has been closed for {since}: its text is not ready yet. {_down('pdf', processes)}".strip()


def _why_running(job: Mapping[str, Any], now: float, breaker: Mapping[str, Any] | None) -> str:
    if breaker is not None:
        left = max(0.0, float(breaker.get("until") or now) - now)
        return (
            f"Its stage {job.get('stage') or 'first'} waits: the circuit {breaker['policy']} {breaker['key']} is open for "
            f"{left:.0f} s more, because calls failed {breaker['failures']} times in a row."
        )
    lease = job.get("lease_until")
    lease_left = f", lease for {max(0.0, float(lease) - now):.0f} s more" if lease else ""
    return f"It is running: stage {job.get('stage') or 'first'} on {job.get('worker') or 'an engine'}{lease_left}."


def _why_queued(job: Mapping[str, Any], processes: Mapping[str, Mapping[str, Any]], queued_before: int) -> str:
    engine = f"engine-{job['lane']}"
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
    return f"Process {name} is {seen['state']}{reason}. `medkg-lab restart {name}` or `medkg-lab logs {name}`."


def why_process(seen: Mapping[str, Any]) -> str:
    """Say why a process is not ready, or that it is."""
    name, state = seen["name"], seen["state"]
    if state == State.READY:
        return f"{name} is ready."
    reason = f": {seen['reason']}" if seen.get("reason") else ""
    remedy = f" `medkg-lab restart {name}` once that is mended." if state == State.GIVEN_UP else ""
    return f"{name} is {state}{reason}.{remedy}"


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
