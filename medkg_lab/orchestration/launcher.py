"""The run launcher: a run that starts in Dagster becomes a line in the ledger, and an engine claims it like any other work."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import DagsterRun, RunsFilter, StringSource

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.callers import acting
from medkg_lab.orchestration.compat import (
    CheckRunHealthResult,
    ConfigurableClass,
    ConfigurableClassData,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from medkg_lab.orchestration.errors import LaunchNeedsJob
from medkg_lab.orchestration.runs import (
    TAG_BATCH,
    TAG_DOC,
    TAG_FROM_STAGE,
    TAG_JOB,
    TAG_PIPELINE,
    TAG_RELEASE,
    tag,
    tag_names,
)
from medkg_lab.topology.graph import order, phases
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import from_json

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
MAX_BATCH = 200
GONE = "unknown to the ledger"
ENDED = frozenset({"completed", "failed", "dead", "cancelled", GONE})


class LedgerRunLauncher(RunLauncher[Any], ConfigurableClass):
    """Tells the ledger which jobs a run is for; nothing executes in Dagster's processes."""

    def __init__(self, socket: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._ledger = LedgerClient(Path(socket), deadline=TIMEOUT_S)
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """How the instance was configured with this launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, object]:
        """The configuration in dagster.yaml: the ledger's socket."""
        return {"socket": StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "LedgerRunLauncher":
        """Make the launcher that dagster.yaml describes."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Bind the run to a release or to jobs. Raises LaunchNeedsJob when its tags name neither, and what the ledger raises."""
        self._bind(context.dagster_run)

    def _bind(self, run: DagsterRun) -> None:
        release = tag(run.tags, TAG_RELEASE) if run.parent_run_id is None else None
        if release is not None:
            self._ledger.launch(run.run_id, release_id=release, by=acting())
            return
        jobs = self._jobs(run)
        if not jobs:
            raise LaunchNeedsJob(run_id=run.run_id)
        self._ledger.launch(run.run_id, job_ids=jobs, from_stage=self._from_stage(run, jobs[0]), by=acting())

    def terminate(self, run_id: str) -> bool:
        """Cancel the run's jobs that have not ended; False when there are none."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        jobs = [job_id for job_id in self._bound(run) if self._state(job_id) not in ENDED]
        if jobs:
            self._instance.report_run_canceling(run)
        for job_id in jobs:
            self._ledger.cancel(job_id, by=acting(), why="terminated on Dagster's page")
        return bool(jobs)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """The ledger knows from the leases."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Running while a job of the run is queued or in an engine's batch: a lost lease queues it again."""
        try:
            states = [self._state(job_id) for job_id in self._bound(run)]
        except LabError as error:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, str(error))
        if not states:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the ledger has no job for this run")
        live = any(state not in ENDED for state in states)
        return CheckRunHealthResult(WorkerStatus.RUNNING if live else WorkerStatus.SUCCESS, ", ".join(states))

    @property
    def supports_resume_run(self) -> bool:
        """The ledger keeps what was done."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """See to it that the run goes on. Raises what the ledger raises.

        A job that an engine lost is queued again by the ledger itself and goes on after its last finished stage; only a run of
        which the ledger never heard, or whose jobs have ended, is bound to its jobs once more.
        """
        run = context.dagster_run
        if any(self._state(job_id) not in ENDED for job_id in self._bound(run)):
            return
        self._bind(run)

    def _state(self, job_id: str) -> str:
        job = self._ledger.get(job_id)
        return GONE if job is None else str(job.state)

    def _bound(self, run: DagsterRun) -> list[str]:
        """The jobs of the run: its own, or those of the batch that it is."""
        if job_id := run.tags.get(TAG_JOB):
            return [job_id]
        return self._of_batch(run.run_id)

    def _jobs(self, run: DagsterRun) -> list[str]:
        """The jobs that a new run is for: that which it names, the newest of the document that it names, or those of the batch
        that it runs again."""
        if job_id := run.tags.get(TAG_JOB):
            return [job_id]
        if run.parent_run_id is None and (doc_id := run.tags.get(TAG_DOC)):
            return [job.job_id for job in self._ledger.jobs(pipeline=tag(run.tags, TAG_PIPELINE), doc=doc_id, limit=1)]
        return self._of_batch(run.parent_run_id) if run.parent_run_id else []

    def _from_stage(self, run: DagsterRun, job_id: str) -> str | None:
        """Where the run starts: the stage it names, else the first selected step, else the first of its half.

        A job that waits in the queue goes on from where it is.
        """
        job = self._ledger.get(job_id)
        if job is None or job.state == "queued":
            return None
        if stage := run.tags.get(TAG_FROM_STAGE):
            return stage
        found = self._ledger.definitions("topology", name=job.pipeline, version=job.pipeline_version)
        return first_stage(from_json(found[0].content), run) if found else None

    def _of_batch(self, batch_id: str) -> list[str]:
        records = [
            record
            for name in tag_names(TAG_BATCH)
            for record in self._instance.get_run_records(RunsFilter(tags={name: batch_id}), limit=MAX_BATCH)
        ]
        tags = [record.dagster_run.tags for record in reversed(records)]
        return list(dict.fromkeys(each[TAG_JOB] for each in tags if TAG_JOB in each))


def first_stage(topology: Topology, run: DagsterRun) -> str | None:
    """The first stage of `topology` that is among the run's steps; None when the topology has none of them."""
    of_half = {half.name: half.stages for half in phases(topology)}.get(run.job_name, ())
    chosen = set(run.step_keys_to_execute or run.resolved_op_selection or of_half)
    return next((name for name in order(topology) if name in chosen and not topology.stage(name).is_gate), None)
