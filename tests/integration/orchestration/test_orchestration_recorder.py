"""What the recorder writes must read back right through Dagster's own API: the contract that pins Dagster's version."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

from medkg_lab.engine import transitions
from medkg_lab.ledger.answers import ClaimedBatch
from medkg_lab.models.events import EventData, Evidence
from medkg_lab.orchestration import runs as names
from medkg_lab.orchestration.instance import folder
from medkg_lab.orchestration.recorder import VIEW, Recorder
from medkg_lab.orchestration.writer import RunWriter
from medkg_lab.stages.registry import BadOptions
from medkg_lab.topology.models import Topology
from tests.integration.engine.processes import register, spec, topology
from tests.integration.orchestration.conftest import View
from tests.told import specs

PLAIN = topology("plain", "ingest", "parse", "chunk")
GATED = topology("gated", "ingest", "gate", "chunk", "embed")
SHA = "a" * 64
EVIDENCE = Evidence(document=SHA, raw=SHA, pages=1, tool="t", source=SHA)


class Engine:
    """An engine that a test moves step by step."""

    def __init__(self, view: View, pipeline: Topology, count: int) -> None:
        self.view, self.client, self.pipeline = view, view.client, pipeline
        register(self.client, pipeline)
        jobs = [spec(pipeline, f'{uuid.uuid4().hex} "quoted" @@job@@') for _ in range(count)]
        self.jobs = [one["job_id"] for one in jobs]
        self.client.submit(specs(jobs))
        self.claim(count)

    def claim(self, limit: int) -> ClaimedBatch:
        batch = self.client.claim("engine-test", ["compute"], limit, 60.0, 2.0, {})
        assert batch is not None
        self.batch, self.id = batch, batch.batch_id
        self.executions = {job.job_id: job.execution for job in batch.jobs}
        return batch

    def record(self, *events: EventData) -> None:
        self.client.record(self.id, events)

    def start(self, stage: str, jobs: Sequence[str] | None = None) -> None:
        self.record(transitions.stage_started(stage, jobs or self.jobs, 100.0))

    def complete(self, stage: str, jobs: Sequence[str] | None = None) -> None:
        which = jobs or self.jobs
        self.start(stage, which)
        number = len(which)
        self.record(
            transitions.stage_completed(
                stage,
                which,
                100.0,
                100.5,
                ms=[12.5] * number,
                counts=[1] * number,
                refs=[SHA] * number,
                kind="payload",
                implementation="tiny",
                device="cpu",
            )
        )

    def run(self, job_id: str, half: int = 0, execution: int = 1) -> dict[str, Any]:
        run_id = names.visible_run_id(job_id, half, execution)
        (found,) = self.view.runs(run_id=run_id)
        return found

    def drain(self) -> None:
        """End what is left, so that the next test's claim finds nothing of this one."""
        for job_id in self.jobs:
            job = self.client.get(job_id)
            if job is not None and job.state in ("queued", "running", "waiting_gate"):
                self.client.cancel(job_id, by="test", why="end of the test")


def test_a_batch_that_succeeds_shows_each_job_and_nothing_else(view: View) -> None:
    engine = Engine(view, PLAIN, 3)
    for stage in ("ingest", "parse", "chunk"):
        engine.complete(stage)
    engine.record(transitions.job_completed(engine.jobs, [SHA] * 3, False))
    for job_id in engine.jobs:
        run = engine.run(job_id)
        assert run["status"] == "SUCCESS"
        assert run["steps"] == {"ingest": "SUCCESS", "parse": "SUCCESS", "chunk": "SUCCESS"}
        assert (run["job_id"], run["half"], run["execution"], run["batch"]) == (job_id, 0, 1, engine.id)
    together = view.instance.get_runs(RunsFilter(tags={names.TAG_BATCH: engine.id}))
    assert {run.run_id for run in together} == {engine.run(job_id)["run_id"] for job_id in engine.jobs}
    stats = view.instance.get_run_step_stats(names.visible_run_id(engine.jobs[0], 0, 1))
    assert {(stat.start_time, stat.end_time) for stat in stats} == {(100.0, 100.5)}


def test_a_run_is_live_while_its_stages_run(view: View) -> None:
    engine = Engine(view, PLAIN, 1)
    engine.complete("ingest")
    engine.start("parse")
    run = engine.run(engine.jobs[0])
    assert run["status"] == "STARTED"
    assert run["steps"] == {"ingest": "SUCCESS", "parse": "IN_PROGRESS"}
    engine.drain()


def test_foreign_text_in_tags_reads_back_as_it_was(view: View) -> None:
    engine = Engine(view, PLAIN, 1)
    view.catch_up()
    stored = view.instance.get_run_by_id(names.visible_run_id(engine.jobs[0], 0, 1))
    assert stored is not None
    doc_id = engine.batch.jobs[0].doc_id
    assert stored.tags[names.TAG_DOC] == doc_id
    assert stored.tags[names.TAG_VERSION] == engine.batch.pipeline_version
    (found,) = view.instance.get_runs(RunsFilter(tags={names.TAG_DOC: doc_id}))
    assert found.run_id == stored.run_id
    engine.drain()


def test_a_failed_document_leaves_and_its_reason_is_on_its_step(view: View) -> None:
    engine = Engine(view, PLAIN, 2)
    bad, good = engine.jobs
    engine.complete("ingest")
    engine.start("parse")
    error = BadOptions(name='"x"', detail="line\nbreak")
    engine.record(*transitions.failed("parse", bad, 100.0, 101.0, 1, error))
    engine.complete("parse", [good])
    engine.complete("chunk", [good])
    engine.record(transitions.job_completed([good], [SHA], False))
    run = engine.run(bad)
    assert run["status"] == "FAILURE"
    assert run["steps"] == {"ingest": "SUCCESS", "parse": "FAILURE"}
    assert engine.run(good)["status"] == "SUCCESS"
    (entry,) = view.instance.all_logs(run["run_id"], of_type=DagsterEventType.STEP_FAILURE)
    data = entry.get_dagster_event().step_failure_data
    assert data.error is not None
    assert str(error) in data.error.message
    assert data.error.cls_name == "BadOptions"
    assert f"medkg-lab jobs retry {bad}" in data.error.message


def test_a_lost_batch_ends_its_runs_and_the_next_execution_is_another_run(view: View) -> None:
    engine = Engine(view, PLAIN, 2)
    engine.complete("ingest")
    engine.start("parse")
    view.client.surrender(engine.id)
    for job_id in engine.jobs:
        run = engine.run(job_id)
        assert (run["status"], run["steps"]) == ("FAILURE", {"ingest": "SUCCESS", "parse": "FAILURE"})
    engine.claim(2)
    assert engine.batch.stages == ("parse", "chunk")
    engine.complete("parse")
    engine.complete("chunk")
    engine.record(transitions.job_completed(engine.jobs, [SHA] * 2, False))
    for job_id in engine.jobs:
        run = engine.run(job_id, execution=2)
        assert (run["status"], run["steps"]) == ("SUCCESS", {"parse": "SUCCESS", "chunk": "SUCCESS"})


def test_skipped_stages_and_unchanged_jobs(view: View) -> None:
    engine = Engine(view, PLAIN, 2)
    engine.complete("ingest")
    for stage in ("parse", "chunk"):
        engine.record(transitions.stage_skipped(stage, engine.jobs, 100.0, "unchanged"))
    engine.record(transitions.job_completed(engine.jobs, [SHA] * 2, True))
    steps = {"ingest": "SUCCESS", "parse": "SKIPPED", "chunk": "SKIPPED"}
    assert [engine.run(job_id)["steps"] for job_id in engine.jobs] == [steps, steps]


def test_the_two_halves_of_a_gated_pipeline(view: View) -> None:
    engine = Engine(view, GATED, 1)
    (job_id,) = engine.jobs
    engine.complete("ingest")
    engine.record(transitions.gate_waiting(GATED.stage("gate"), [job_id], 1, "compute", ["chunk", "embed"]))
    waiting = engine.run(job_id)
    assert (waiting["status"], waiting["gate"]) == ("STARTED", "waiting")
    assert waiting["steps"] == {"ingest": "SUCCESS", "gate": "IN_PROGRESS"}
    view.client.set_field(job_id, "pdf_ir_ready", True, by="pdf", evidence=EVIDENCE)
    opened = engine.run(job_id)
    assert (opened["status"], opened["gate"]) == ("SUCCESS", "open")
    assert opened["steps"] == {"ingest": "SUCCESS", "gate": "SUCCESS"}
    (release,) = view.client.releases()
    view.client.launch(str(uuid.uuid4()), release_id=release.release_id, by="test")
    engine.claim(1)
    engine.complete("chunk")
    engine.complete("embed")
    engine.record(transitions.job_completed([job_id], [SHA], False))
    after = engine.run(job_id, half=1)
    assert (after["status"], after["pipeline"]) == ("SUCCESS", "gated__post")
    assert after["steps"] == {"chunk": "SUCCESS", "embed": "SUCCESS"}
    tags = [view.instance.get_run_by_id(run["run_id"]).tags for run in (opened, after)]  # type: ignore[union-attr]
    assert tags[0][names.TAG_POST_RUN] == after["run_id"]
    assert tags[1][names.TAG_PRE_RUN] == opened["run_id"]


@pytest.mark.parametrize(
    ("end", "status", "gate"),
    [("reject", "CANCELED", "rejected"), ("fail", "FAILURE", "failed"), ("cancel", "CANCELED", "waiting")],
)
def test_a_gate_that_does_not_open(view: View, end: str, status: str, gate: str) -> None:
    engine = Engine(view, GATED, 1)
    (job_id,) = engine.jobs
    engine.complete("ingest")
    engine.record(transitions.gate_waiting(GATED.stage("gate"), [job_id], 1, "compute", ["chunk", "embed"]))
    if end == "reject":
        view.client.gate_reject(job_id, by="someone", why="not wanted")
    elif end == "cancel":
        view.client.cancel(job_id, by="someone", why="changed my mind")
    else:
        view.client.gate_fail(job_id, by="pdf", kind="bad_input", reason="no pages")
    run = engine.run(job_id)
    assert (run["status"], run["gate"]) == (status, gate)
    assert run["steps"]["gate"] == "FAILURE"
    kinds = [entry.get_dagster_event().event_type_value for entry in view.instance.all_logs(run["run_id"])]
    assert "PIPELINE_SUCCESS" not in kinds
    assert kinds.count("STEP_START") == 2


def test_a_run_that_an_earlier_version_ended_at_its_gate_goes_on(view: View) -> None:
    engine = Engine(view, GATED, 1)
    (job_id,) = engine.jobs
    engine.complete("ingest")
    engine.record(transitions.gate_waiting(GATED.stage("gate"), [job_id], 1, "compute", ["chunk", "embed"]))
    assert engine.run(job_id)["status"] == "STARTED"
    run_id = names.visible_run_id(job_id, 0, 1)
    writer = RunWriter(folder(view.lab.locations))
    writer._events.execute("DELETE FROM event_logs WHERE run_id = ? AND step_key = 'gate'", (run_id,))
    writer._events.execute(
        "UPDATE medkg_recorder SET value = json_remove(value, '$.at_gate') WHERE key = ?", (f"run:{job_id}",)
    )
    writer._runs.execute("UPDATE runs SET status = 'SUCCESS', end_time = 1 WHERE run_id = ?", (run_id,))
    writer.close()
    view.recorder._load()
    view.client.set_field(job_id, "pdf_ir_ready", True, by="pdf", evidence=EVIDENCE)
    opened = engine.run(job_id)
    assert (opened["status"], opened["steps"]) == ("SUCCESS", {"ingest": "SUCCESS", "gate": "SUCCESS"})
    engine.drain()


def test_what_a_page_shows_of_a_run_is_its_document_and_what_a_stage_made(view: View) -> None:
    engine = Engine(view, PLAIN, 1)
    engine.complete("ingest")
    view.catch_up()
    stored = view.instance.get_run_by_id(names.visible_run_id(engine.jobs[0], 0, 1))
    assert stored is not None
    shown = [key for key in stored.tags if not key.startswith(names.HIDDEN)]
    assert shown[0] == names.TAG_DOC
    assert set(shown) <= {names.TAG_DOC, names.TAG_JOB, names.TAG_LAUNCHED_BY}
    lines = [entry.message for entry in view.instance.all_logs(stored.run_id)]
    assert any("payload: 1 item(s) by tiny on cpu in 12 ms." in line for line in lines), lines
    engine.drain()


def test_a_cancelled_job_ends_its_run(view: View) -> None:
    engine = Engine(view, PLAIN, 2)
    engine.start("ingest")
    view.client.cancel(engine.jobs[0], by="someone", why="changed my mind")
    run = engine.run(engine.jobs[0])
    assert (run["status"], run["steps"]) == ("CANCELED", {"ingest": "FAILURE"})
    assert engine.run(engine.jobs[1])["status"] == "STARTED"
    engine.drain()


def test_a_run_that_dagster_made_is_updated_and_not_doubled(view: View) -> None:
    engine = Engine(view, PLAIN, 1)
    engine.complete("ingest")
    view.client.surrender(engine.id)
    view.catch_up()
    run = view.instance.get_run_by_id(names.visible_run_id(engine.jobs[0], 0, 1))
    assert run is not None
    made = view.instance.run_storage.add_run(
        run._replace(run_id=str(uuid.uuid4()), status=DagsterRunStatus.STARTING, tags={names.TAG_JOB: engine.jobs[0]})
    )
    view.client.launch(made.run_id, job_ids=engine.jobs, by="dagster")
    assert engine.claim(5).batch_id == made.run_id
    engine.complete("parse")
    engine.complete("chunk")
    engine.record(transitions.job_completed(engine.jobs, [SHA], False))
    (launched,) = view.runs(run_id=made.run_id)
    assert (launched["status"], launched["execution"]) == ("SUCCESS", None)
    assert launched["steps"] == {"parse": "SUCCESS", "chunk": "SUCCESS"}
    assert engine.run(engine.jobs[0], execution=2)["status"] == "SUCCESS"


def test_a_launch_whose_jobs_are_cancelled_before_a_claim_ends_too(view: View) -> None:
    engine = Engine(view, PLAIN, 1)
    view.client.surrender(engine.id)
    view.catch_up()
    run = view.instance.get_run_by_id(names.visible_run_id(engine.jobs[0], 0, 1))
    assert run is not None
    made = view.instance.run_storage.add_run(run._replace(run_id=str(uuid.uuid4()), status=DagsterRunStatus.STARTING))
    view.client.launch(made.run_id, job_ids=engine.jobs, by="dagster")
    engine.drain()
    (launched,) = view.runs(run_id=made.run_id)
    assert launched["status"] == "CANCELED"


def test_a_crash_between_the_two_files_leaves_nothing_twice(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(view, PLAIN, 2)
    engine.complete("ingest")

    def crash(*_: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(RunWriter, "_write_events", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            view.recorder.step(0)
    restarted = Recorder(view.instance, folder(view.lab.locations), view.client)
    assert restarted.position == view.recorder.position
    while restarted.step(0):
        pass
    view.recorder._load()
    engine.complete("parse")
    engine.record(transitions.job_completed(engine.jobs, [SHA] * 2, False))
    for run_id in (names.visible_run_id(job_id, 0, 1) for job_id in engine.jobs):
        view.catch_up()
        kinds = [entry.get_dagster_event().event_type_value for entry in view.instance.all_logs(run_id)]
        assert kinds == [
            "PIPELINE_START",
            "STEP_START",
            "STEP_SUCCESS",
            "STEP_START",
            "STEP_SUCCESS",
            "PIPELINE_SUCCESS",
        ]


def test_the_view_can_be_made_anew_from_the_log(view: View) -> None:
    before = {run["run_id"]: run for run in view.runs() if run["execution"] is not None}
    writer = RunWriter(folder(view.lab.locations))
    for run_id in [run["run_id"] for run in view.runs()]:
        view.instance.delete_run(run_id)
    writer._events.execute("DELETE FROM event_logs")
    writer._events.execute("DELETE FROM medkg_recorder")
    writer.close()
    view.recorder._load()
    after = {run["run_id"]: run for run in view.runs() if run["execution"] is not None}
    assert after == before


def test_a_ledger_that_lost_the_recorders_position_is_told_again(view: View) -> None:
    view.catch_up()
    view.client.position(VIEW, 0)
    assert view.recorder.step(wait_s=0) == 0
    assert view.client.positions()[VIEW] == view.recorder.position > 0
