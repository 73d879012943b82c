"""Engines that are stopped, killed, or brought down by a document: no job is lost, and none runs for ever."""

import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.engine.__main__ import OVERDUE
from medkg_lab.ledger.client import LedgerClient
from tests.integration.engine.processes import Lab, all_events, register, running_ledger, spec, states, topology
from tests.told import specs
from tests.waiting import wait_until

WHOLE = topology("whole", "ingest", "parse", "chunk", "embed", "index", "extract", "kg")


@pytest.fixture
def client(lab: Lab) -> Iterator[LedgerClient]:
    with lab.client() as connected:
        register(connected, WHOLE)
        for path in (lab.home / "flags").glob("*"):
            path.unlink()
        yield connected
        lab.flag("release").touch()
        lab.stop(keep=1)
        print(lab.log("medkg_lab.engine")[-4000:], lab.log("medkg_lab.ledger")[-2000:])  # shown when the test failed


def submit(client: LedgerClient, *texts: str) -> list[str]:
    run = uuid.uuid4().hex[:8]
    jobs = [spec(WHOLE, f"{run}-{number}", content=text) for number, text in enumerate(texts)]
    client.submit(specs(jobs))
    return [job["job_id"] for job in jobs]


def all_in(client: LedgerClient, jobs: list[str], *wanted: str) -> bool:
    return set(states(client, jobs).values()) <= set(wanted)


def events_of(client: LedgerClient, jobs: list[str], kind: str) -> list[dict[str, Any]]:
    return [event for event in all_events(client) if event["type"] == kind and set(event["jobs"]) & set(jobs)]


def held(lab: Lab, client: LedgerClient, jobs: list[str]) -> bool:
    job = client.get(jobs[0])
    return job is not None and job.stage == "chunk" and bool(list((lab.home / "flags").glob("held-*")))


def test_a_killed_engine_s_batch_comes_back_and_resumes_where_it_was(lab: Lab, client: LedgerClient) -> None:
    engine = lab.engine()
    jobs = submit(client, "hold", *["plain"] * 5)
    wait_until(lambda: held(lab, client, jobs), 15, "the stage to hold")
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    lab.flag("release").touch()
    lab.engine()
    wait_until(lambda: all_in(client, jobs, "completed"), 30, "all jobs to complete")
    (expired,) = events_of(client, jobs, "batch.expired")
    assert (expired["data"]["reason"], expired["data"]["stage"]) == ("lease", "chunk")
    done = Counter(
        (job_id, event["stage"]) for event in events_of(client, jobs, "stage.completed") for job_id in event["jobs"]
    )
    assert set(done.values()) == {1}, "no stage was completed twice for a document"
    assert len(done) == len(jobs) * 7


@pytest.mark.full
def test_a_document_that_kills_engines_ends_dead_and_takes_no_other_with_it(lab: Lab, client: LedgerClient) -> None:
    jobs = submit(client, "poison", "plain", "plain", "plain")
    engine = lab.engine()

    def looked_after() -> bool:
        nonlocal engine
        if engine.poll() is not None:
            engine = lab.engine()
        return all_in(client, jobs, "completed", "dead")

    wait_until(looked_after, 60, "the poison to be set aside")
    assert list(states(client, jobs).values()) == ["dead", "completed", "completed", "completed"]
    engine.terminate()
    assert engine.wait(5) == 0


def test_a_stop_in_the_middle_of_a_stage_gives_the_batch_back_in_time(lab: Lab, client: LedgerClient) -> None:
    engine = lab.engine()
    jobs = submit(client, "hold", "plain")
    wait_until(lambda: held(lab, client, jobs), 15, "the stage to hold")
    began = time.monotonic()
    engine.terminate()
    assert engine.wait(10) == 0
    assert time.monotonic() - began < 10
    wait_until(lambda: all_in(client, jobs, "queued"), 5, "the jobs to be queued again")
    (expired,) = events_of(client, jobs, "batch.expired")
    assert expired["data"]["reason"] == "surrendered"
    for job_id in jobs:
        client.cancel(job_id, by="test", why="end of the test")


def test_what_a_stopped_engine_could_not_give_back_the_next_one_does(short_tmp: Path) -> None:
    """The ledger is away as well, as when a whole lab is stopped or restarted: nothing counts against the documents."""
    with running_ledger(short_tmp / "home") as lab:
        lab.settings(profile="tiny", lease_seconds=60.0)
        with lab.client() as client:
            register(client, WHOLE)
            engine = lab.engine()
            (job_id,) = submit(client, "hold")
            wait_until(lambda: held(lab, client, [job_id]), 30, "the stage to hold")
            ledger = lab._running[0]
            ledger.terminate()
            assert ledger.wait(30) == 0
            engine.terminate()
            assert engine.wait(30) == 0
            assert (lab.locations.state / "engine-compute.handback.json").exists()
            lab.flag("release").touch()
            lab.start("medkg_lab.ledger")
            lab.engine()
            wait_until(lambda: all_in(client, [job_id], "completed"), 60, "the job to complete")
            (expired,) = events_of(client, [job_id], "batch.expired")
            assert expired["data"]["reason"] == "surrendered"
            assert not (lab.locations.state / "engine-compute.handback.json").exists()


def test_a_stage_that_runs_over_its_deadline_ends_with_its_engine_and_is_counted(
    lab: Lab, client: LedgerClient
) -> None:
    settings = lab.locations.config / "settings.yaml"
    before = settings.read_text()
    lab.settings(profile="tiny", lease_seconds=1.0, stage_deadline_seconds=1.0)
    try:
        engine = lab.engine()
    finally:
        settings.write_text(before)
    jobs = submit(client, "hold", "plain")
    assert engine.wait(30) == OVERDUE
    wait_until(lambda: events_of(client, jobs, "batch.expired"), 15, "the batch to be taken back")
    (expired,) = events_of(client, jobs, "batch.expired")
    assert (expired["data"]["reason"], expired["data"]["stage"]) == ("deadline", "chunk")
    assert "ran over its deadline" in lab.log("medkg_lab.engine")
    lab.flag("release").touch()
    lab.engine()
    wait_until(lambda: all_in(client, jobs, "completed"), 30, "the jobs to complete")
    halves = [event["jobs"] for event in events_of(client, jobs, "job.claimed")]
    assert sorted(map(len, halves)) == [1, 1, 2], "what was in a lost batch comes back in halves"


def test_an_idle_engine_builds_its_stages_and_a_stop_then_is_at_once_and_clean(lab: Lab, client: LedgerClient) -> None:
    before = lab.log("medkg_lab.engine").count("tiny.kg is ready")
    engine = lab.engine()
    wait_until(lambda: lab.log("medkg_lab.engine").count("tiny.kg is ready") > before, 10, "the stages to be built")
    engine.terminate()
    assert engine.wait(5) == 0
    jobs = submit(client, "left")
    assert states(client, jobs) == {jobs[0]: "queued"}
    client.cancel(jobs[0], by="test", why="end")


def test_a_wrong_definition_ends_the_engine_for_good(lab: Lab, client: LedgerClient) -> None:
    settings = lab.locations.config / "settings.yaml"
    before = settings.read_text()
    lab.settings(profile="nonesuch")
    try:
        with pytest.raises(AssertionError, match="no profile called 'nonesuch'"):
            lab.start("medkg_lab.engine", "--name", "engine-odd", "--lane", "compute")
        assert lab._running[-1].wait(10) == 78
    finally:
        settings.write_text(before)
