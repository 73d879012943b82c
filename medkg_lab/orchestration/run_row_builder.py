"""Writing runs and their log lines as rows, from the templates of the pipeline version that each run belongs to."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from medkg_lab.orchestration.live_runs import LiveBatch, LiveRun, LiveRuns
from medkg_lab.orchestration.rows import LogRow, Rows, RunRow, StatusChange, TagChange
from medkg_lab.orchestration.templates import PhaseTemplates, RunTemplate

TemplatesOf = Callable[[str, str], Sequence[PhaseTemplates]]
"""The templates of a pipeline's version, by name and version."""

_END_KINDS = {"SUCCESS": "PIPELINE_SUCCESS", "FAILURE": "PIPELINE_FAILURE", "CANCELED": "PIPELINE_CANCELED"}


class RunRowBuilder:
    """Turns what happened to live runs and batches into rows; what is not live is passed over."""

    def __init__(self, live: LiveRuns, phase_templates: TemplatesOf) -> None:
        self.live = live
        self.rows = Rows()
        self._halves = phase_templates

    def pop_rows(self) -> Rows:
        """The rows written since the last call."""
        rows, self.rows = self.rows, Rows()
        return rows

    def templates(self, run: LiveRun | LiveBatch) -> PhaseTemplates:
        """The templates of the run's half."""
        return self._halves(run.pipeline, run.version)[run.half]

    def insert(self, template: RunTemplate, values: dict[str, Any], at: float) -> None:
        """A new run, started at `at`; its id is the value `run`."""
        body, tags = template.body.fill(values), template.tag_rows(values)
        self.rows.runs.append(RunRow(values["run"], template.snapshot_id, template.job_name, body, at, tags))

    def tag(self, run: LiveRun, key: str, value: str) -> None:
        """A tag's new value."""
        self.rows.tags.append(TagChange(run.run_id, key, value))

    def each(self, jobs: Iterable[str], kind: str, step: str, at: float, message: str = "") -> None:
        """One line in the runs of all `jobs`."""
        for job_id in jobs:
            self.job(job_id, kind, step, at, message)

    def job(
        self, job_id: str, kind: str, step: str, at: float, message: str = "", error: str = "", ms: float = 0.0
    ) -> None:
        """A line in the job's run."""
        if run := self.live.run(job_id):
            self._line(self.templates(run), run.run_id, kind, step, at, message, error, ms)

    def batch(
        self, batch_id: str, kind: str, step: str, at: float, message: str = "", error: str = "", ms: float = 0.0
    ) -> None:
        """A line in the batch's run, where it has one."""
        batch = self.live.batch(batch_id)
        if batch is not None and batch.shown:
            self._line(self.templates(batch), batch_id, kind, step, at, message, error, ms)

    def remark(self, job_id: str, step: str, at: float, message: str) -> None:
        """A plain line in the job's run, which changes no state."""
        if (run := self.live.run(job_id)) and (line := self.templates(run).lines.get(step)):
            text = line.fill({"run": run.run_id, "time": at, "message": message})
            self.rows.log.append(LogRow(run.run_id, text, None, at, step))

    def close(self, run: LiveRun, status: str, at: float, message: str, error: str = "") -> None:
        """The run is over."""
        self.rows.statuses.append(StatusChange(run.run_id, status, at, True))
        self._line(self.templates(run), run.run_id, _END_KINDS[status], "", at, message, error, 0.0)

    def close_batch(self, batch_id: str, status: str, at: float, message: str, error: str = "") -> None:
        """The batch is over, and with it a step that none of its documents completed."""
        batch = self.live.batch(batch_id)
        if batch is not None and batch.shown:
            if batch.step is not None:
                self.batch(batch_id, "STEP_FAILURE", batch.step, at, message, error)
            self.rows.statuses.append(StatusChange(batch_id, status, at, True))
            self.batch(batch_id, _END_KINDS[status], "", at, message, error)
        self.live.drop_batch(batch_id)

    def _line(
        self,
        templates: PhaseTemplates,
        run_id: str,
        kind: str,
        step: str,
        at: float,
        message: str,
        error: str,
        ms: float,
    ) -> None:
        template = templates.events.get((kind, step))
        if template is not None:  # a stage of a later half that is skipped with the rest is not a step of this one
            values = {"run": run_id, "time": at, "message": message, "error": error, "ms": ms}
            self.rows.log.append(LogRow(run_id, template.fill(values), kind, at, step or None))
