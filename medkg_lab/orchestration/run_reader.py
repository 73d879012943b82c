"""Dagster's run store as its public API tells it: what `verify` holds against the ledger."""

from typing import Any

from dagster import DagsterInstance, RunsFilter

from medkg_lab.orchestration.runs import (
    TAG_BATCH,
    TAG_EXECUTION,
    TAG_GATE,
    TAG_HALF,
    TAG_JOB,
    TAG_RELEASE,
    TAG_VERSION,
    RecordedRun,
    RecordedRuns,
    tag,
    visible_run_id,
)

MAX_RUNS = 1000


def read_runs(instance: DagsterInstance, after: str | None, limit: int) -> RecordedRuns:
    """Up to `limit` runs after the run `after`."""
    records = instance.get_run_records(RunsFilter(), limit=min(limit, MAX_RUNS), ascending=True, cursor=after)
    runs = tuple(_describe(instance, record.dagster_run) for record in records)
    return RecordedRuns(runs, runs[-1].run_id if len(runs) == min(limit, MAX_RUNS) else None)


def _describe(instance: DagsterInstance, run: Any) -> RecordedRun:
    tags = run.tags
    visible = _is_visible(run)
    steps = instance.get_run_step_stats(run.run_id)
    return RecordedRun(
        run_id=run.run_id,
        job_id=tag(tags, TAG_JOB) if visible else None,
        half=int(tag(tags, TAG_HALF) or 0) if visible else None,
        execution=int(tag(tags, TAG_EXECUTION) or 0) if visible else None,
        status=run.status.value,
        steps={step.step_key: step.status.value for step in steps if step.status is not None},
        pipeline=run.job_name,
        version=tag(tags, TAG_VERSION),
        batch=tag(tags, TAG_BATCH),
        gate=tag(tags, TAG_GATE),
        release=tag(tags, TAG_RELEASE),
    )


def _is_visible(run: Any) -> bool:
    # Not by the tags alone: a run that was made as a re-execution has those of the run that it repeats.
    job, half, execution = (tag(run.tags, name) for name in (TAG_JOB, TAG_HALF, TAG_EXECUTION))
    if job is None or half is None or execution is None:
        return False
    return bool(run.run_id == visible_run_id(job, int(half), int(execution)))
