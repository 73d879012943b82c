"""How the ledger's events read as Dagster runs: a pure fold from events to rows.

A job's visible run is (job, half, execution). It starts when the job is claimed, lives through all segments of its half, and
ends when the half does. At a gate it waits in the step of that name, and ends as the gate does; `medkg/gate` says how. A batch
has a run of its own beside them only when Dagster launched it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from medkg_lab.models.events import (
    BatchExpired,
    ClaimedJob,
    Event,
    GateFailed,
    GateOpened,
    GateRejected,
    GateWaiting,
    JobAdvanced,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobFailed,
    RunLaunched,
    StageCompleted,
    StageFailed,
    StageRetrying,
    StageSkipped,
    StageStarted,
)
from medkg_lab.orchestration.live_runs import Launch, LiveBatch, LiveRun, LiveRuns
from medkg_lab.orchestration.rows import Claim, Rows, StatusChange, TagChange
from medkg_lab.orchestration.run_row_builder import RunRowBuilder, TemplatesOf
from medkg_lab.orchestration.runs import (
    GATE_FAILED,
    GATE_OPEN,
    GATE_REJECTED,
    GATE_WAITING,
    TAG_BATCH,
    TAG_GATE,
    TAG_POST_RUN,
    TAG_PRE_RUN,
    visible_run_id,
)
from medkg_lab.orchestration.templates import PhaseTemplates


class Projection:
    """Folds events, oldest first. `stored` says whether Dagster itself made a run with this id."""

    def __init__(self, live: LiveRuns, phase_templates: TemplatesOf, stored: Callable[[str], bool]) -> None:
        self._live = live
        self._halves = phase_templates
        self._stored = stored
        self._row_builder = RunRowBuilder(live, phase_templates)
        self._gates_shown = False
        self._handlers: dict[type, Callable[[Event, Any], None]] = {
            RunLaunched: self._launched,
            JobClaimed: self._claimed,
            StageStarted: self._started,
            StageCompleted: self._completed,
            StageSkipped: self._skipped,
            StageRetrying: self._retrying,
            StageFailed: self._stage_failed,
            JobAdvanced: self._advanced,
            JobCompleted: self._job_completed,
            JobFailed: self._job_failed,
            JobCancelled: self._cancelled,
            BatchExpired: self._expired,
            GateWaiting: self._waiting,
            GateOpened: self._opened,
            GateRejected: self._rejected,
            GateFailed: self._gate_failed,
        }

    def apply(self, events: Iterable[Event]) -> Rows:
        """The rows that `events` make; kinds of event that no run shows are passed over."""
        if not self._gates_shown:
            self._show_gates()
        for event in events:
            if handler := self._handlers.get(type(event.data)):
                handler(event, event.data)
        return self._row_builder.pop_rows()

    def _show_gates(self) -> None:
        """Runs that an earlier version ended at their gates go on: they end when the gate does."""
        for job_id, run in self._live.runs().items():
            if run.waits is not None and not run.open and not run.at_gate:
                self._row_builder.rows.statuses.append(StatusChange(run.run_id, "STARTED", run.waits, False))
                self._wait(job_id, run, self._row_builder.templates(run).gate or "", run.waits)
        self._gates_shown = True

    def _wait(self, job_id: str, run: LiveRun, gate: str, since: float, message: str = "") -> None:
        run.waits, run.at_gate = since, True
        self._live.put_run(job_id, run)
        self._row_builder.job(job_id, "STEP_START", gate, since, message)

    def _launched(self, event: Event, data: RunLaunched) -> None:
        self._live.put_launch(data.run_id, Launch(list(data.jobs)))

    def _claimed(self, event: Event, data: JobClaimed) -> None:
        batch_id, jobs = data.batch, list(data.jobs)
        self._live.drop_launch(batch_id)
        self._row_builder.rows.claims.append(Claim(event.ts, event.seq))
        templates = self._halves(data.pipeline, data.pipeline_version)[data.half]
        made = self._stored(batch_id)
        batch = LiveBatch(data.pipeline, data.pipeline_version, data.half, made, jobs)
        self._live.put_batch(batch_id, batch)
        if made:
            self._row_builder.rows.statuses.append(StatusChange(batch_id, "STARTED", event.ts, False))
            self._row_builder.rows.tags.append(TagChange(batch_id, TAG_BATCH, batch_id))
            message = f"Claimed by {data.worker}: {len(jobs)} document(s)."
            self._row_builder.batch(batch_id, "PIPELINE_START", "", event.ts, message)
        for job in data.entries:
            self._claim_job(event.ts, data, templates, job)

    def _claim_job(self, ts: float, data: JobClaimed, templates: PhaseTemplates, job: ClaimedJob) -> None:
        run_id = visible_run_id(job.job_id, data.half, job.execution)
        known = self._live.run(job.job_id)
        run = LiveRun(run_id, data.pipeline, data.pipeline_version, data.half, data.batch)
        self._live.put_run(job.job_id, run)
        if known is not None and known.run_id == run_id:
            self._row_builder.tag(run, TAG_BATCH, data.batch)
            return
        values = {
            "run": run_id,
            "job": job.job_id,
            "doc": job.doc_id,
            "tenant": job.tenant_id,
            "batch": data.batch,
            "execution": str(job.execution),
        }
        self._row_builder.insert(templates.visible, values, ts)
        if known is not None and known.half < run.half:
            self._row_builder.tag(known, TAG_POST_RUN, run_id)
            self._row_builder.tag(run, TAG_PRE_RUN, known.run_id)
        message = f"{job.doc_id}: claimed by {data.worker} in batch {data.batch}."
        self._row_builder.job(job.job_id, "PIPELINE_START", "", ts, message)

    def _started(self, event: Event, data: StageStarted) -> None:
        stage, at = data.stage, data.t0
        self._row_builder.each(data.jobs, "STEP_START", stage, at, f"{stage} began in batch {data.batch}.")
        batch = self._live.batch(data.batch)
        if batch is not None and data.batch is not None:
            batch.step, batch.inside = stage, list(data.jobs)
            self._live.put_batch(data.batch, batch)
            self._row_builder.batch(data.batch, "STEP_START", stage, at)

    def _completed(self, event: Event, data: StageCompleted) -> None:
        stage, t1 = data.stage, data.t1
        for output in data.entries:
            ms = output.ms or 0.0
            message = f"{_made(data, output.items)} in {ms:.0f} ms."
            self._row_builder.job(output.job_id, "STEP_SUCCESS", stage, t1, message, ms=ms)
        batch = self._left_step(data)
        if batch is not None and data.batch is not None and batch.step == stage:
            self._row_builder.batch(data.batch, "STEP_SUCCESS", stage, t1, ms=(t1 - data.t0) * 1e3)
            batch.step = None

    def _skipped(self, event: Event, data: StageSkipped) -> None:
        why = {"unchanged": "its content is that of the last completed job", "condition": "its condition does not hold"}
        message = f"Skipped: {why.get(data.reason, data.reason)}."
        self._row_builder.each(data.jobs, "STEP_SKIPPED", data.stage, data.t0, message)
        batch = self._live.batch(data.batch)
        if batch is not None and data.batch is not None and set(batch.jobs) <= set(data.jobs):
            self._row_builder.batch(data.batch, "STEP_SKIPPED", data.stage, data.t0, message)

    def _retrying(self, event: Event, data: StageRetrying) -> None:
        message = (
            f"{data.stage}: try {data.attempt} failed ({data.kind}): {data.reason} Next try in {data.delay_s:.1f} s."
        )
        for job_id in data.jobs:
            self._row_builder.remark(job_id, data.stage, event.ts, message)

    def _stage_failed(self, event: Event, data: StageFailed) -> None:
        for job_id in data.jobs:
            message = _with_hint(data.reason, job_id)
            self._row_builder.job(job_id, "STEP_FAILURE", data.stage, data.t1, message, error=data.error)
        self._left_step(data)

    def _advanced(self, event: Event, data: JobAdvanced) -> None:
        for job_id in data.jobs:
            self._leave(data.batch, event.ts, job_id, "SUCCESS")

    def _job_completed(self, event: Event, data: JobCompleted) -> None:
        message = "Unchanged since it was last processed." if data.unchanged else "Completed."
        for job_id in data.jobs:
            self._end(job_id, "SUCCESS", event.ts, message)
            self._leave(data.batch, event.ts, job_id, "SUCCESS")

    def _job_failed(self, event: Event, data: JobFailed) -> None:
        for job_id in data.jobs:
            message = _with_hint(f"{data.kind}: {data.reason}", job_id)
            self._end(job_id, "FAILURE", event.ts, message, data.error or "")
            self._leave(data.batch, event.ts, job_id, "FAILURE")

    def _cancelled(self, event: Event, data: JobCancelled) -> None:
        message = f"Cancelled by {data.by}: {data.why}"
        for job_id in data.jobs:
            run = self._live.run(job_id)
            batch_id = run.batch if run else None
            self._cut_off(batch_id, [job_id], event.ts, message)
            self._end(job_id, "CANCELED", event.ts, message)
            self._leave(batch_id, event.ts, job_id, "CANCELED")
            self._unlaunch(job_id)

    def _unlaunch(self, job_id: str) -> None:
        for run_id, launch in self._live.launches().items():
            if job_id in launch.jobs:
                launch.jobs.remove(job_id)
                self._live.put_launch(run_id, launch)
                if not launch.jobs:
                    self._live.drop_launch(run_id)
                    self._row_builder.rows.cancel.append(run_id)

    def _expired(self, event: Event, data: BatchExpired) -> None:
        reasons = {
            "lease": "stopped answering",
            "surrendered": "was stopped and gave the batch back",
            "deadline": "ran over its deadline",
        }
        message = (
            f"The engine {data.worker} {reasons.get(data.reason, data.reason)}; "
            "the job was queued again and its next execution is another run."
        )
        self._cut_off(data.batch, data.jobs, event.ts, message)
        for job_id in data.jobs:
            self._end(job_id, "FAILURE", event.ts, message, "BatchLost")
        self._row_builder.close_batch(data.batch, "FAILURE", event.ts, message, "BatchLost")

    def _waiting(self, event: Event, data: GateWaiting) -> None:
        message = f"Waits at {data.gate} until {data.condition.ledger_field} is {data.condition.equals}."
        for job_id in data.jobs:
            if run := self._live.run(job_id):
                self._wait(job_id, run, data.gate, event.ts, message)
                self._row_builder.tag(run, TAG_GATE, GATE_WAITING)
            self._leave(data.batch, event.ts, job_id, "SUCCESS")

    def _opened(self, event: Event, data: GateOpened) -> None:
        message = f"Opened by {data.by} ({data.how})" + (f": {data.why}" if data.why else ".")
        for job_id in data.jobs:
            if run := self._gate(job_id, GATE_OPEN):
                ms = (event.ts - (run.waits or event.ts)) * 1e3
                self._row_builder.job(job_id, "STEP_SUCCESS", data.gate, event.ts, message, ms=ms)
                self._row_builder.close(run, "SUCCESS", event.ts, message)
                run.open = True
                self._live.put_run(job_id, run)

    def _rejected(self, event: Event, data: GateRejected) -> None:
        message = f"Rejected by {data.by}: {data.why}"
        for job_id in data.jobs:
            if self._gate(job_id, GATE_REJECTED):
                self._end(job_id, "CANCELED", event.ts, message, "GateRejected")

    def _gate_failed(self, event: Event, data: GateFailed) -> None:
        for job_id in data.jobs:
            if self._gate(job_id, GATE_FAILED):
                message = _with_hint(f"{data.kind}: {data.reason}", job_id)
                self._end(job_id, "FAILURE", event.ts, message, data.kind)

    def _gate(self, job_id: str, value: str) -> LiveRun | None:
        run = self._live.run(job_id)
        if run is not None:
            self._row_builder.tag(run, TAG_GATE, value)
        return run

    def _left_step(self, data: StageCompleted | StageFailed) -> LiveBatch | None:
        batch = self._live.batch(data.batch)
        if batch is not None and data.batch is not None:
            gone = set(data.jobs)
            batch.inside = [job_id for job_id in batch.inside if job_id not in gone]
            self._live.put_batch(data.batch, batch)
        return batch

    def _cut_off(self, batch_id: str | None, jobs: Sequence[str], at: float, message: str) -> None:
        batch = self._live.batch(batch_id)
        if batch is not None and batch.step is not None:
            for job_id in jobs:
                if job_id in batch.inside:
                    self._row_builder.job(job_id, "STEP_FAILURE", batch.step, at, message, "BatchLost")

    def _end(self, job_id: str, status: str, at: float, message: str, error: str = "") -> None:
        run = self._live.run(job_id)
        if run is not None:
            if run.at_gate and not run.open and (gate := self._row_builder.templates(run).gate):
                self._row_builder.job(job_id, "STEP_FAILURE", gate, at, message, error=error or status)
            if not run.open:
                self._row_builder.close(run, status, at, message, error)
            self._live.drop_run(job_id)

    def _leave(self, batch_id: str | None, ts: float, job_id: str, how: str) -> None:
        batch = self._live.batch(batch_id)
        if batch is None or batch_id is None or job_id not in batch.jobs:
            return
        batch.jobs.remove(job_id)
        batch.ended[how] = batch.ended.get(how, 0) + 1
        self._live.put_batch(batch_id, batch)
        if not batch.jobs:
            status = "SUCCESS" if "SUCCESS" in batch.ended else max(batch.ended, key=lambda key: batch.ended[key])
            counted = ", ".join(f"{number} {name.lower()}" for name, number in sorted(batch.ended.items()))
            self._row_builder.close_batch(batch_id, status, ts, f"Documents: {counted}.")


def _with_hint(reason: str, job_id: str) -> str:
    return f"{reason.rstrip(' .')}. Look with `medkg-lab jobs why {job_id}`, try again with `medkg-lab jobs retry {job_id}`."


def _made(data: StageCompleted, count: int | None) -> str:
    """What a stage made of a document, by which implementation, where."""
    made = f"{data.kind or 'output'}: {'?' if count is None else count} item(s)"
    by = f" by {data.implementation}" if data.implementation else ""
    return made + by + (f" on {data.device}" if data.device else "")
