"""The sensor of the gates: what the ledger releases becomes a run in Dagster."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dagster import (
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
)

from medkg_lab.errors import LabError
from medkg_lab.ledger.answers import ReleaseRow
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.compat import BACKFILL_ID_TAG
from medkg_lab.orchestration.runs import (
    GATE_OPEN,
    TAG_BATCH_SIZE,
    TAG_GATE,
    TAG_HALF,
    TAG_PIPELINE,
    TAG_RELEASE,
    TAG_VERSION,
    tag_names,
)

SENSOR_NAME = "pdf_ir_ready_sensor"
TIMEOUT_S = 5.0
INTERVAL_S = -1
"""No least interval: the daemon's loop knows when there is something to do. Dagster reads 0 as half a minute."""


def gate_sensor(socket: Path, jobs: Sequence[JobDefinition]) -> SensorDefinition:
    """The sensor that starts `jobs`, the parts of pipelines after gates, for what the ledger releases."""
    by_half = {(job.tags[TAG_PIPELINE], job.tags[TAG_HALF]): job.name for job in jobs}
    ledger = LedgerClient(socket, deadline=TIMEOUT_S)

    def evaluate(context: SensorEvaluationContext) -> Iterator[RunRequest | SkipReason]:
        try:
            releases = ledger.releases(0.0)
        except LabError as error:
            yield SkipReason(f"The ledger did not answer: {error}")
            return
        requests = [request for release in releases if (request := _request(context, ledger, by_half, release))]
        yield from requests
        if not requests:
            yield SkipReason("No gate has opened since the last look.")

    return SensorDefinition(
        name=SENSOR_NAME,
        evaluation_fn=evaluate,
        jobs=list(jobs),
        minimum_interval_seconds=INTERVAL_S,
        default_status=DefaultSensorStatus.RUNNING,
        description="Starts the part of a pipeline after a gate for the documents whose gates have opened.",
    )


def _request(
    context: SensorEvaluationContext,
    ledger: LedgerClient,
    by_half: Mapping[tuple[str, str], str],
    release: ReleaseRow,
) -> RunRequest | None:
    job = by_half.get((release.pipeline, str(release.half)))
    if job is None:
        # The pipeline is no longer among the definitions; its documents go on all the same.
        ledger.launch(str(uuid.uuid4()), release_id=release.release_id, by=SENSOR_NAME)
        context.log.warning("%s has no part after its gate any more; launched without a run", release.pipeline)
        return None
    return RunRequest(
        run_key=_run_key(context, release.release_id),
        job_name=job,
        tags={
            TAG_RELEASE: release.release_id,
            TAG_VERSION: release.pipeline_version,
            TAG_GATE: GATE_OPEN,
            TAG_BATCH_SIZE: str(len(release.jobs)),
            # Each document has a run of its own: Dagster's list shows this one beside them only when asked to.
            BACKFILL_ID_TAG: release.release_id,
        },
    )


def _run_key(context: SensorEvaluationContext, release_id: str) -> str:
    """The release's id, with a number once a run for it has ended without the ledger hearing of it.

    Dagster takes a run key only once, but as long as the ledger offers the release no run of it was launched.
    """
    runs = [
        run for name in tag_names(TAG_RELEASE) for run in context.instance.get_runs(RunsFilter(tags={name: release_id}))
    ]
    ended = sum(run.is_finished for run in runs)
    return f"{release_id}/{ended}" if ended else release_id
