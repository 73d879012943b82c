"""What the sensor of the gates asks for: one run for each release, again if a run ended before the ledger heard of it."""

import uuid
from typing import Any

import pytest
from dagster import DagsterRun, DagsterRunStatus, RunRequest, SkipReason, build_sensor_context

from medkg_lab.engine import transitions
from medkg_lab.ledger.answers import ReleaseRow
from medkg_lab.locations import Locations
from medkg_lab.models.events import Evidence
from medkg_lab.orchestration.compile import compile_topology
from medkg_lab.orchestration.runs import TAG_RELEASE
from medkg_lab.orchestration.sensors import gate_sensor
from tests.integration.engine.processes import register, spec, topology
from tests.integration.orchestration.conftest import View
from tests.told import specs

GATED = topology("gated", "ingest", "gate", "chunk")
SHA = "a" * 64
EVIDENCE = Evidence(document=SHA, raw=SHA, pages=1, tool="t", source=SHA)


def open_gate(view: View) -> ReleaseRow:
    """Bring a job to its gate, open that, and return the release."""
    register(view.client, GATED)
    job = spec(GATED, uuid.uuid4().hex)
    view.client.submit(specs([job]))
    batch = view.client.claim("engine-test", ["compute"], 1, 60.0, 2.0, {})
    assert batch is not None
    jobs = [job["job_id"]]
    done = {"ms": [1.0], "counts": [1], "refs": [SHA], "kind": "payload", "implementation": "tiny", "device": "cpu"}
    told = [
        transitions.stage_started("ingest", jobs, 1.0),
        transitions.stage_completed("ingest", jobs, 1.0, 2.0, **done),  # type: ignore[arg-type]
        transitions.gate_waiting(GATED.stage("gate"), jobs, 1, "compute", ["chunk"]),
    ]
    view.client.record(batch.batch_id, told)
    view.client.set_field(jobs[0], "pdf_ir_ready", True, by="pdf", evidence=EVIDENCE)
    (release,) = [each for each in view.client.releases(2.0) if jobs[0] in each.jobs]
    return release


def evaluate(view: View, locations: Locations, jobs: list[Any]) -> list[Any]:
    sensor = gate_sensor(locations.socket("ledger"), jobs)
    with build_sensor_context(instance=view.instance) as context:
        return list(sensor(context))


def launch(view: View, release: ReleaseRow) -> None:
    """Launch the release, and take its job out of the next test's way."""
    view.client.launch(str(uuid.uuid4()), release_id=release.release_id, by="test")
    view.client.cancel(release.jobs[0], by="test", why="end of the test")


@pytest.fixture
def after_gate() -> list[Any]:
    return [compile_topology(GATED)["gated__post"]]


def test_a_release_is_one_run_request_until_it_is_launched(view: View, after_gate: list[Any]) -> None:
    release = open_gate(view)
    for _ in range(2):
        (request,) = evaluate(view, view.lab.locations, after_gate)
        assert isinstance(request, RunRequest)
        assert (request.run_key, request.job_name) == (release.release_id, "gated__post")
        assert request.tags[TAG_RELEASE] == release.release_id
    launch(view, release)
    (nothing,) = evaluate(view, view.lab.locations, after_gate)
    assert isinstance(nothing, SkipReason)
    assert "No gate has opened" in (nothing.skip_message or "")


def test_a_run_that_ended_before_the_ledger_heard_of_it_does_not_block_the_release(
    view: View, after_gate: list[Any]
) -> None:
    release = open_gate(view)
    tags = {TAG_RELEASE: release.release_id}
    run = DagsterRun(job_name="gated__post", run_id=str(uuid.uuid4()), status=DagsterRunStatus.FAILURE, tags=tags)
    view.instance.run_storage.add_run(run)
    (request,) = evaluate(view, view.lab.locations, after_gate)
    assert request.run_key == f"{release.release_id}/1"
    launch(view, release)


def test_documents_of_a_pipeline_that_is_gone_go_on_without_a_run(view: View) -> None:
    release = open_gate(view)
    (nothing,) = evaluate(
        view, view.lab.locations, [compile_topology(topology("other", "ingest", "gate", "chunk"))["other__post"]]
    )
    assert isinstance(nothing, SkipReason)
    assert not view.client.releases()
    job = view.client.get(release.jobs[0])
    assert job is not None
    assert job.state == "queued"


def test_a_ledger_that_is_away_is_a_reason_and_not_an_error(view: View, after_gate: list[Any]) -> None:
    with build_sensor_context(instance=view.instance) as context:
        sensor = gate_sensor(view.lab.home / "nowhere.sock", after_gate)
        (nothing,) = list(sensor(context))
    assert "did not answer" in (nothing.skip_message or "")
