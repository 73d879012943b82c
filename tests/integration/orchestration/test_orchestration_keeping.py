"""How much Dagster's files keep, what its asset pages show, and what the launcher says of runs, on a real ledger."""

import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from dagster import AssetKey, DagsterRun, DagsterRunStatus

from medkg_lab.engine import transitions
from medkg_lab.lab.verify import compare, fold
from medkg_lab.models.event_codec import from_json
from medkg_lab.orchestration import runs as names
from medkg_lab.orchestration.assets import WINDOW_S
from medkg_lab.orchestration.compat import ResumeRunContext, WorkerStatus
from medkg_lab.orchestration.instance import folder
from medkg_lab.orchestration.recorder import PRUNE_INTERVAL_S, Recorder
from medkg_lab.orchestration.runs import RecordedRun
from medkg_lab.settings import DagsterSettings
from tests.integration.engine.processes import all_events
from tests.integration.orchestration.conftest import View
from tests.integration.orchestration.test_orchestration_recorder import GATED, PLAIN, SHA, Engine


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def through(view: View, count: int) -> Engine:
    """Jobs that went through all stages."""
    engine = Engine(view, PLAIN, count)
    for stage in ("ingest", "parse", "chunk"):
        engine.complete(stage)
    engine.record(transitions.job_completed(engine.jobs, [SHA] * count, False))
    return engine


def differences(view: View, mark: int) -> list[dict[str, Any]]:
    """What `verify` would say of Dagster's side."""
    ledger = fold(map(from_json, all_events(view.client)), mark)
    return compare(
        ledger, Counter(ledger.cloud_ids), {run["run_id"]: RecordedRun(**run) for run in view.runs() if run["job_id"]}
    )


def pruning(view: View, **keep: Any) -> tuple[View, Clock]:
    """The view with a recorder that keeps less."""
    clock = Clock()
    recorder = Recorder(view.instance, folder(view.lab.locations), view.client, DagsterSettings(**keep), clock)
    return replace(view, recorder=recorder), clock


def prune(view: View, clock: Clock) -> None:
    """Have the recorder prune all that there is to prune."""
    clock.ahead += PRUNE_INTERVAL_S + 1
    for _ in range(5):
        view.recorder.step(0)


def test_the_oldest_runs_go_and_the_rest_is_still_exact(view: View) -> None:
    waiting = Engine(view, GATED, 1)
    waiting.complete("ingest")
    waiting.record(transitions.gate_waiting(GATED.stage("gate"), waiting.jobs, 1, "compute", ["chunk", "embed"]))
    for _ in range(4):
        through(view, 5)
    last = through(view, 2)
    assert len(view.runs()) == 1 + 4 * 5 + 2
    small, clock = pruning(view, keep_runs=10)
    prune(small, clock)
    left = {run["run_id"] for run in view.runs()}
    assert len(left) == 10 + 1
    assert names.visible_run_id(waiting.jobs[0], 0, 1) in left, "a run at its gate is still needed"
    assert {names.visible_run_id(job_id, 0, 1) for job_id in last.jobs} <= left
    logged = view.recorder._writer._events.execute("SELECT DISTINCT run_id FROM event_logs").fetchall()
    assert {run_id for (run_id,) in logged} <= left | {""}
    mark = view.client.low_waters()["recorder"]
    assert differences(view, mark) == []
    missing = {one["what"] for one in differences(view, 0)}
    assert missing == {"Dagster run missing"}, "below the mark it would be said that runs are missing"
    waiting.drain()


def test_old_runs_go_by_age(view: View) -> None:
    through(view, 3)
    small, clock = pruning(view, keep_days=1.0)
    prune(small, clock)
    assert len(view.runs()) >= 3
    clock.ahead += 2 * 86_400.0
    prune(small, clock)
    assert not [run for run in view.runs() if run["status"] == "SUCCESS"]
    assert differences(view, view.client.low_waters()["recorder"]) == []


def test_a_window_of_work_is_one_materialisation_of_each_asset(view: View) -> None:
    small, clock = pruning(view)
    small.catch_up()
    clock.ahead += 1_000_000.0
    small.recorder.step(0)
    before = {name: _materialised(view, name) for name in ("documents", "graph")}
    clock.ahead = 0.0
    engine = Engine(view, PLAIN, 4)
    documents = {"ms": [1.0] * 4, "counts": [1] * 4, "refs": [SHA] * 4, "implementation": "tiny", "device": "cpu"}
    engine.complete("ingest")
    for stage, kind in (("parse", "document"), ("chunk", "chunks")):
        engine.start(stage)
        engine.record(transitions.stage_completed(stage, engine.jobs, 1.0, 2.0, kind=kind, **documents))  # type: ignore[arg-type]
    small.catch_up()
    restarted, later = pruning(view)
    assert _materialised(view, "documents") == before["documents"], "the window is not over"
    later.ahead = WINDOW_S + 1
    restarted.recorder.step(0)
    restarted.recorder.step(0)
    assert _materialised(view, "documents") == before["documents"] + 1
    assert _materialised(view, "graph") == before["graph"]
    event = view.instance.get_latest_materialization_event(AssetKey("documents"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["documents"].value == 4
    engine.drain()


def _materialised(view: View, name: str) -> int:
    return len(view.instance.fetch_materializations(AssetKey(name), limit=100).records)


def made_by_dagster(view: View, tags: dict[str, str], status: DagsterRunStatus) -> DagsterRun:
    """A run as Dagster makes it before it asks the launcher."""
    run = DagsterRun(job_name="plain", run_id=str(uuid.uuid4()), status=status, tags=tags)
    return view.instance.run_storage.add_run(run)


@pytest.mark.parametrize("named", [names.TAG_JOB, names.TAG_DOC])
def test_a_run_is_launched_again_for_a_job_or_a_document(view: View, named: str) -> None:
    engine = through(view, 1)
    view.catch_up()
    job = view.client.get(engine.jobs[0])
    assert job is not None
    value = {names.TAG_JOB: job.job_id, names.TAG_DOC: job.doc_id}[named]
    run = made_by_dagster(view, {named: value, names.TAG_PIPELINE: "plain"}, DagsterRunStatus.STARTING)
    launcher: Any = view.instance.run_launcher
    launcher._bind(run)
    assert engine.claim(5).batch_id == run.run_id
    assert engine.batch.stages == ("ingest", "parse", "chunk")
    assert engine.jobs == [job.job_id for job in engine.batch.jobs]
    view.client.surrender(run.run_id)
    engine.drain()


def test_health_is_the_lease_and_resuming_adds_nothing_while_a_job_lives(view: View) -> None:
    engine = Engine(view, PLAIN, 1)
    view.catch_up()
    launcher: Any = view.instance.run_launcher
    run = view.instance.get_run_by_id(names.visible_run_id(engine.jobs[0], 0, 1))
    assert run is not None
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    head = view.client.counts().head
    launcher.resume_run(ResumeRunContext(run, None, 1))
    assert view.client.counts().head == head
    assert launcher.terminate(run.run_id)
    view.catch_up()
    assert view.client.get(engine.jobs[0]).state == "cancelled"  # type: ignore[union-attr]
    assert launcher.check_run_worker_health(run).status is WorkerStatus.SUCCESS
    assert not launcher.terminate(run.run_id), "nothing is left to end"


def test_resuming_binds_a_run_that_the_ledger_never_heard_of(view: View) -> None:
    engine = through(view, 1)
    view.catch_up()
    run = made_by_dagster(view, {names.TAG_JOB: engine.jobs[0], names.TAG_PIPELINE: "plain"}, DagsterRunStatus.STARTING)
    launcher: Any = view.instance.run_launcher
    launcher.resume_run(ResumeRunContext(run, None, 1))
    assert engine.claim(1).batch_id == run.run_id
    engine.drain()
