"""What an engine tells the ledger, as events. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from medkg_lab.engine.errors import failure_kind, own_part, reason
from medkg_lab.models.events import (
    CompletedJob,
    Condition,
    EventData,
    GateWaiting,
    JobAdvanced,
    JobCompleted,
    JobFailed,
    StageCompleted,
    StageFailed,
    StageOutput,
    StageRetrying,
    StageSkipped,
    StageStarted,
)
from medkg_lab.topology.models import StageDefinition

Transition = EventData


def stage_started(stage: str, jobs: Sequence[str], t0: float) -> StageStarted:
    """The stage runs for these jobs."""
    return StageStarted(stage, tuple(jobs), t0)


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
) -> StageCompleted:
    """The stage's outputs of these jobs are kept, all of one kind; `made_with` says what besides its inputs they depend on."""
    entries = tuple(
        StageOutput(job, round(took, 3), items, ref)
        for job, took, items, ref in zip(jobs, ms, counts, refs, strict=True)
    )
    return StageCompleted(stage, t0, t1, entries, kind, implementation, device, dict(made_with or {}))


def with_exchanges(told: Transition, exchanges: Sequence[str]) -> Transition:
    """The end of a stage with the recorded calls that were made for it."""
    return replace(told, exchanges=tuple(exchanges)) if isinstance(told, StageCompleted | StageFailed) else told


def stage_skipped(stage: str, jobs: Sequence[str], t0: float, why: str) -> StageSkipped:
    """The stage does not run for these jobs: `condition` or `unchanged`."""
    return StageSkipped(stage, tuple(jobs), t0, why)


def stage_retrying(stage: str, jobs: Sequence[str], attempt: int, delay: float, error: BaseException) -> StageRetrying:
    """A call for these jobs failed and is tried again after `delay` seconds."""
    return StageRetrying(stage, tuple(jobs), attempt, delay, failure_kind(error), reason(error))


def failed(
    stage: str, job: str, t0: float, t1: float, attempt: int, error: BaseException
) -> tuple[StageFailed, JobFailed]:
    """The job ends because this stage failed."""
    kind, name, why = failure_kind(error), type(error).__name__, reason(error)
    return (
        StageFailed(stage, (job,), t0, t1, attempt, kind, name, why),
        JobFailed((job,), kind, name, why, stage, own_part(error)),
    )


def job_failed(job: str, error: BaseException) -> JobFailed:
    """The job ends before any stage could run."""
    return JobFailed((job,), failure_kind(error), type(error).__name__, reason(error), stage=None)


def job_completed(jobs: Sequence[str], content: Sequence[str | None], unchanged: bool) -> JobCompleted:
    """The jobs ended well; `content` is the sha256 of each one's payload."""
    return JobCompleted(unchanged, tuple(map(CompletedJob, jobs, content)))


def job_advanced(jobs: Sequence[str], segment: int, lane: str) -> JobAdvanced:
    """The jobs go on in another segment."""
    return JobAdvanced(tuple(jobs), segment, lane)


def gate_waiting(
    gate: StageDefinition, jobs: Sequence[str], segment: int, lane: str, stages: Sequence[str]
) -> GateWaiting:
    """The jobs wait at `gate` and go on in `segment` once it opens."""
    assert gate.condition is not None, "a gate without a condition does not validate"
    condition = Condition(gate.condition.ledger_field, gate.condition.equals)
    return GateWaiting(gate.name, tuple(jobs), condition, segment, lane, tuple(stages))
