"""Submitting, running, failing, cancelling and retrying jobs."""

from typing import Any

import pytest

from medkg_lab.ledger import errors
from medkg_lab.ledger.commands.batches import Claim
from medkg_lab.ledger.commands.jobs import Cancel, Submit
from medkg_lab.ledger.core import Request
from medkg_lab.models.events import EventType, JobAdvanced, StageOutput
from tests.told import wire
from tests.unit.ledger.worlds import World, completed, done, failed, ids, ref, spec, started, waiting


def test_a_job_is_made_once(world: World) -> None:
    assert world.submit("a", "b") == [
        {"job_id": "a", "new": True, "state": "queued"},
        {"job_id": "b", "new": True, "state": "queued"},
    ]
    assert [(each["job_id"], each["new"]) for each in world.submit("b", "c", "c")] == [
        ("b", False),
        ("c", True),
        ("c", True),
    ]
    assert world.log()[-1].jobs == ("c",)


def test_an_unregistered_pipeline_is_refused(world: World) -> None:
    assert isinstance(world.refused("submit", jobs=[spec("a", "absent")]), errors.UnknownDefinition)


@pytest.mark.parametrize(
    "changes", [{"lane": "network"}, {"segment": 7}, {"half": 1}, {"priority": "high"}, {"priority": True}, {"more": 1}]
)
def test_a_spec_that_does_not_fit_is_refused(world: World, changes: dict[str, object]) -> None:
    assert isinstance(world.refused("submit", jobs=[{**spec("a"), **changes}]), errors.MalformedCommand)


def test_a_run_from_submission_to_completion(world: World) -> None:
    world.submit("a", "b", offline=False)
    batch = world.claim()
    assert (batch["stages"], batch["lane"], batch["segment"]) == (["ingest"], "network", 0)
    world.run(batch)
    world.record(batch, JobAdvanced(("a", "b"), 1, "compute"))
    batch = world.claim()
    assert (batch["stages"], batch["lane"], batch["segment"]) == (["parse", "chunk"], "compute", 1)
    assert batch["jobs"][0]["outputs"] == {"payload": ref("ingest", "a")}
    world.run(batch)
    world.record(batch, done(["a", "b"]))
    job = world.job("a")
    assert (job.state, job.content, job.attempt, job.execution) == ("completed", "content:a", 1, 1)
    assert job.outputs == {
        "payload": ref("ingest", "a"),
        "document": ref("parse", "a"),
        "chunks": ref("chunk", "a"),
    }
    assert not world.core.state.batches


def test_a_failed_document_leaves_its_batch(world: World) -> None:
    world.submit("a", "b")
    batch = world.claim()
    world.record(batch, started("ingest", ["a", "b"]), *failed("ingest", "a"), completed("ingest", ["b"]))
    job = world.job("a")
    assert (job.state, job.failure_kind, job.reason, job.error) == (
        "failed",
        "bad_input",
        "it is empty",
        "EmptyDocument",
    )
    assert list(world.core.state.batches[batch["batch_id"]].jobs) == ["b"]
    error = world.refused("record", batch_id=batch["batch_id"], events=[started("parse", ["a", "b"])])
    assert isinstance(error, errors.BatchNotOwned)
    assert "job a" in str(error)


def test_a_job_cannot_go_on_after_it_left_within_one_record(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    events = [*failed("ingest", "a"), started("parse", ["a"])]
    assert isinstance(world.refused("record", batch_id=batch["batch_id"], events=events), errors.BatchNotOwned)


def test_a_stage_is_not_run_twice_nor_out_of_the_batch(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.record(batch, started("ingest", ["a"]), completed("ingest", ["a"]))
    error = world.refused("record", batch_id=batch["batch_id"], events=[started("ingest", ["a"])])
    assert isinstance(error, errors.IllegalTransition)
    error = world.refused("record", batch_id=batch["batch_id"], events=[started("embed", ["a"])])
    assert isinstance(error, errors.StageNotInBatch)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "job.submitted", "jobs": ["a"], "data": {"specs": []}},
        {"type": "stage.started", "stage": None, "jobs": ["a"], "data": {"t0": 1.0}},
        {"type": "stage.started", "stage": "ingest", "jobs": [], "data": {"t0": 1.0}},
        {"type": "stage.started", "stage": "ingest", "jobs": ["a", "a"], "data": {"t0": 1.0}},
        {"type": "stage.started", "stage": "ingest", "jobs": ["a"], "data": {"t0": "soon"}},
        {"type": "stage.started", "stage": "ingest", "jobs": ["a"], "data": {}},
        {**wire(completed("ingest", ["a"])), "jobs": ["a", "b"]},
        {
            "type": "gate.waiting",
            "stage": "gate",
            "jobs": ["a"],
            "data": {**wire(waiting(["a"]))["data"], "condition": {}},
        },
        "started",
    ],
)
def test_a_malformed_event_is_refused(world: World, event: object) -> None:
    world.submit("a", "b")
    batch = world.claim()
    error = world.refused("record", batch_id=batch["batch_id"], events=[event])
    assert isinstance(error, errors.MalformedCommand)


def test_cancelling_a_running_job_drops_what_its_engine_records(world: World) -> None:
    world.submit("a", "b")
    batch = world.claim()
    world.record(batch, started("ingest", ["a", "b"]))
    world.do("cancel", job_id="a", by="me", why="wrong file")
    assert world.log()[-1].batch == batch["batch_id"]
    assert world.core.state.batches[batch["batch_id"]].cancelled == ["a"]
    answer = world.record(batch, completed("ingest", ["a", "b"]))
    assert answer["dropped"] == ["a"]
    last = world.log()[-1]
    assert last.data.entries == (StageOutput("b", 1.5, 1, ref("ingest", "b")),)
    assert world.job("a").run_of("ingest").status == "cancelled"


def test_a_batch_whose_last_job_was_cancelled_takes_its_records_in_silence(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.do("cancel", job_id="a", by="me", why="wrong file")
    head = world.core.store.head
    assert world.record(batch, started("ingest", ["a"])) == {"seq": head, "dropped": ["a"]}
    assert world.core.store.head == head


def test_only_unfinished_jobs_are_cancelled(world: World) -> None:
    world.submit("a")
    world.do("cancel", job_id="a", by="me", why="wrong file")
    error = world.refused("cancel", job_id="a", by="me", why="again")
    assert isinstance(error, errors.IllegalTransition)
    assert "cancelled" in str(error)
    assert f"version {world.job('a').version}" in str(error)
    assert isinstance(world.refused("cancel", job_id="z", by="me", why="?"), errors.UnknownJob)


def test_a_retry_goes_on_where_the_job_failed(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.record(batch, started("ingest", ["a"]), completed("ingest", ["a"]), *failed("parse", "a"))
    assert world.do("retry", job_id="a", by="me") == {"job_id": "a", "from_stage": "parse"}
    batch = world.claim()
    assert batch["stages"] == ["parse", "chunk"]
    assert batch["jobs"][0]["outputs"] == {"payload": ref("ingest", "a")}
    assert (batch["jobs"][0]["execution"], batch["jobs"][0]["attempt"]) == (2, 1)
    assert world.job("a").failure_kind is None


def test_a_retry_from_a_stage_keeps_only_what_came_before_it(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.run(batch)
    world.record(batch, done(["a"]))
    world.do("retry", job_id="a", from_stage="parse", by="me")
    assert list(world.job("a").done) == ["ingest"]
    assert isinstance(world.refused("retry", job_id="a", by="me"), errors.IllegalTransition)


def test_a_retry_of_a_completed_job_starts_at_the_beginning(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.run(batch)
    world.record(batch, done(["a"]))
    assert world.do("retry", job_id="a", by="me")["from_stage"] == "ingest"
    world.do("cancel", job_id="a", by="me", why="no")
    error = world.refused("retry", job_id="a", from_stage="nonsense", by="me")
    assert isinstance(error, errors.UnknownStage)
    assert "ingest, parse, chunk" in str(error)


def test_the_last_content_is_told_to_whom_it_concerns(world: World) -> None:
    world.submit("a", doc_id="file:same")
    batch = world.claim()
    assert batch["jobs"][0]["last_content"] is None
    world.run(batch)
    world.record(batch, done(["a"]))
    world.core.project()
    world.submit("b", "c", doc_id="file:same")
    world.submit("d", doc_id="file:same", again=True)
    world.submit("e", doc_id="file:same", tenant_id="other")
    told = {job["job_id"]: job["last_content"] for job in world.claim()["jobs"]}
    assert told == {"b": "content:a", "c": "content:a", "d": None, "e": None}


def test_another_profile_does_the_work_again(world: World) -> None:
    world.submit("a", doc_id="file:same")
    batch = world.claim(stamps={"profile_version": "cpu-1"})
    world.run(batch)
    world.record(batch, done(["a"]))
    world.submit("b", doc_id="file:same")
    assert world.claim(limit=1, stamps={"profile_version": "gpu-1"})["jobs"][0]["last_content"] is None
    world.submit("c", doc_id="file:same")
    assert world.claim(limit=1, stamps={"profile_version": "cpu-1"})["jobs"][0]["last_content"] == "content:a"


def test_unchanged_work_leaves_the_published_job(world: World) -> None:
    for job_id, unchanged in (("a", False), ("b", True)):
        world.submit(job_id, doc_id="file:same")
        batch = world.claim()
        world.run(batch)
        world.record(batch, done([job_id], unchanged))
    world.core.project()
    assert world.core.views.cursor().execute("SELECT job_id FROM document").fetchall() == [("a",)]
    assert world.job("b").unchanged


def test_a_bug_in_deciding_is_refused_and_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    world.submit("a")
    monkeypatch.setattr(Cancel, "decide", broken)
    error = world.refused("cancel", job_id="a", by="me", why="?")
    assert type(error) is errors.LedgerError
    assert "ZeroDivisionError" in str(error)
    assert EventType.JOB_CANCELLED not in {event.type for event in world.log()}


def test_commands_of_one_commit_see_each_other(world: World) -> None:
    wanted = {"worker": "w", "lanes": ["compute"], "limit": 1, "lease_s": 5.0}
    claims = [Request(Claim.parse({"id": f"c{n}", **wanted})) for n in range(3)]
    _, *batches = world.carry_out(Request(Submit.parse({"id": "s", "jobs": [spec("a"), spec("b")]})), *claims)
    assert [batch and ids(batch) for batch in batches] == [["a"], ["b"], None]


def worked_on(world: World, job_id: str, **spec: str) -> None:
    world.submit(job_id, **spec)
    batch = world.claim()
    world.run(batch)
    world.record(batch, done([job_id]))


def rows(world: World, sql: str) -> list[tuple[Any, ...]]:
    world.core.project()
    return world.core.views.cursor().execute(sql).fetchall()


def test_a_deleted_document_leaves_its_history_alone(world: World) -> None:
    worked_on(world, "a", doc_id="file:x")
    worked_on(world, "b", doc_id="file:x")
    worked_on(world, "c", doc_id="file:y")
    gone = {"tenant_id": "default", "doc_id": "file:x", "job_ids": ["a", "b"], "by": "anna", "why": "asked for"}
    assert world.do("delete_document", **gone) == {"job_ids": ["a", "b"]}
    assert rows(world, "SELECT doc_id FROM document") == [("file:y",)]
    for table in ("artifact", "provenance"):
        assert rows(world, f"SELECT DISTINCT job_id FROM {table}") == [("c",)]
    assert rows(world, "SELECT job_id, count(ref) FROM stage_run GROUP BY 1 ORDER BY 1") == [
        ("a", 0),
        ("b", 0),
        ("c", 3),
    ]
    assert world.job("a").is_deleted
    assert world.job("a").outputs == {}
    assert isinstance(world.refused("retry", job_id="a", by="anna"), errors.DocumentGone)
    assert world.do("retry_many", job_ids=["a"], state="completed", by="anna") == {"job_ids": []}
    assert world.do("delete_document", **gone) == {"job_ids": []}, "once is enough"
    worked_on(world, "d", doc_id="file:x")
    assert rows(world, "SELECT doc_id, job_id FROM document ORDER BY 1") == [("file:x", "d"), ("file:y", "c")]


def test_a_document_in_work_is_not_deleted(world: World) -> None:
    worked_on(world, "a", doc_id="file:x")
    world.submit("b", doc_id="file:x")
    gone = {"tenant_id": "default", "doc_id": "file:x", "job_ids": ["a"], "by": "anna", "why": "asked for"}
    assert "job b is queued" in str(world.refused("delete_document", **gone))
    world.do("cancel", job_id="b", by="anna", why="no")
    named = {**gone, "job_ids": ["a", "b"]}
    assert world.do("delete_document", **named) == {"job_ids": ["a", "b"]}
    other = {**gone, "doc_id": "file:other", "job_ids": ["a"]}
    assert isinstance(world.refused("delete_document", **other), errors.MalformedCommand)
