"""What an engine tells the ledger, as the events' data. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from medkg_lab.engine.errors import failure_kind, own_part, reason
from medkg_lab.topology.models import StageDefinition

Transition = dict[str, Any]


def _event(kind: str, stage: str | None, jobs: Sequence[str], data: Mapping[str, Any]) -> Transition:
    return {"type": kind, "stage": stage, "jobs": list(jobs), "data": dict(data)}


def stage_started(stage: str, jobs: Sequence[str], t0: float) -> Transition:
    """The stage runs for these jobs."""
    return _event("stage.started", stage, jobs, {"t0": t0})


def stage_completed(
    stage: str,
    jobs: Sequence[str],
    t0: float,
    t1: float,
    *,
    ms: Sequence[float],
    counts: Sequence[int],
    refs: Sequence[str],
    kind: str,
    implementation: str,
    device: str | None,
    made_with: Mapping[str, str] | None = None,
) -> Transition:
    """The stage's outputs of these jobs are kept, all of one kind; `made_with` says what besides its inputs they depend on."""
    data: dict[str, Any] = {
        "t0": t0,
        "t1": t1,
        "ms": [round(value, 3) for value in ms],
        "counts": list(counts),
        "refs": list(refs),
    }
    data |= {"kind": kind, "implementation": implementation, "device": device}
    return _event("stage.completed", stage, jobs, data | ({"made_with": dict(made_with)} if made_with else {}))


def stage_skipped(stage: str, jobs: Sequence[str], t0: float, why: str) -> Transition:
    """The stage does not run for these jobs: `condition` or `unchanged`."""
    return _event("stage.skipped", stage, jobs, {"t0": t0, "reason": why})


def stage_retrying(stage: str, jobs: Sequence[str], attempt: int, delay: float, error: BaseException) -> Transition:
    """A call for these jobs failed and is tried again after `delay` seconds."""
    data = {"attempt": attempt, "delay_s": delay, "kind": failure_kind(error), "reason": reason(error)}
    return _event("stage.retrying", stage, jobs, data)


def failed(stage: str, job: str, t0: float, t1: float, attempt: int, error: BaseException) -> list[Transition]:
    """The job ends because this stage failed."""
    why = {"kind": failure_kind(error), "error": type(error).__name__, "reason": reason(error)}
    return [
        _event("stage.failed", stage, [job], {"t0": t0, "t1": t1, "attempt": attempt, **why}),
        _event("job.failed", None, [job], {**why, "stage": stage, "own": own_part(error)}),
    ]


def job_failed(job: str, error: BaseException) -> Transition:
    """The job ends before any stage could run."""
    data = {"kind": failure_kind(error), "error": type(error).__name__, "reason": reason(error), "stage": None}
    return _event("job.failed", None, [job], data)


def job_completed(jobs: Sequence[str], content: Sequence[str | None], unchanged: bool) -> Transition:
    """The jobs ended well; `content` is the sha256 of each one's payload."""
    return _event("job.completed", None, jobs, {"unchanged": unchanged, "content": list(content)})


def job_advanced(jobs: Sequence[str], segment: int, lane: str) -> Transition:
    """The jobs go on in another segment."""
    return _event("job.advanced", None, jobs, {"segment": segment, "lane": lane})


def gate_waiting(
    gate: StageDefinition, jobs: Sequence[str], segment: int, lane: str, stages: Sequence[str]
) -> Transition:
    """The jobs wait at `gate` and go on in `segment` once it opens."""
    assert gate.condition is not None, "a gate without a condition does not validate"
    data = {"condition": gate.condition.model_dump(mode="json"), "resume_segment": segment, "resume_lane": lane}
    return _event("gate.waiting", gate.name, jobs, {**data, "stages": list(stages)})
