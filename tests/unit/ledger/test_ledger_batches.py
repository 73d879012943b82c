"""Claims: who gets what; lost batches: halves, losses, death."""

import pytest

from medkg_lab.ledger import errors
from medkg_lab.ledger.commands.batches import MAX_LOSSES
from medkg_lab.ledger.core import Leases
from medkg_lab.ledger.state import Batch
from medkg_lab.ledger.writer import Writer
from medkg_lab.models.events import EventType
from medkg_lab.models.job import LARGE_BYTES
from tests.unit.ledger.worlds import World, completed, ids, started


def test_claims_go_by_priority_then_age(world: World) -> None:
    world.submit("old")
    world.submit("urgent", priority=5)
    world.submit("new")
    assert ids(world.claim(limit=1)) == ["urgent"]
    assert ids(world.claim(limit=2)) == ["old", "new"]
    assert world.claim() is None


def test_a_batch_is_of_one_pipeline_segment_and_lane(world: World) -> None:
    world.submit("a", "b")
    world.submit("c", pipeline="gated")
    world.submit("d", offline=False)
    assert [ids(world.claim()) for _ in range(3)] == [["a", "b"], ["c"], ["d"]]


def test_only_the_asked_lanes_are_claimed(world: World) -> None:
    world.submit("a", offline=False)
    assert world.claim(lanes=["compute"]) is None
    assert ids(world.claim(lanes=["network"])) == ["a"]
    assert isinstance(world.refused("claim", worker="w", lanes=["sea"], limit=1, lease_s=1.0), errors.MalformedCommand)


def test_jobs_with_other_stages_behind_them_come_separately(world: World) -> None:
    world.submit("a", "b")
    batch = world.claim()
    world.record(batch, started("ingest", ["a", "b"]), completed("ingest", ["a"]))
    world.do("surrender", batch_id=batch["batch_id"], stage="ingest")
    assert sorted((ids(each), each["stages"][0]) for each in (world.claim(), world.claim())) == [
        (["a"], "parse"),
        (["b"], "ingest"),
    ]


def test_a_lost_batch_comes_back_in_halves_until_one_is_alone(world: World) -> None:
    world.submit(*"abcde")
    sizes = []
    while (batch := world.claim()) and len(ids(batch)) > 1:
        sizes.append(len(ids(batch)))
        world.expire()
    assert sizes == [5, 3, 2]
    assert {event.data.reason for event in world.log() if event.type is EventType.BATCH_EXPIRED} == {"lease"}


def test_innocent_jobs_are_not_mixed_with_suspicious_ones(world: World) -> None:
    world.submit(*"ab")
    world.claim()
    world.expire()
    world.submit(*"cd")
    assert [ids(world.claim()) for _ in range(3)] == [["a"], ["b"], ["c", "d"]]


def test_only_a_job_that_was_alone_dies(world: World) -> None:
    """One document ends every engine that takes it; the other 15 are done all the same."""
    jobs = [f"j{n:02}" for n in range(16)]
    world.submit(*jobs)
    while batch := world.claim():
        if "j07" in ids(batch):
            world.expire()
        else:
            world.run(batch)
            data = {"unchanged": False, "content": ["x"] * len(ids(batch))}
            world.record(batch, {"type": "job.completed", "jobs": ids(batch), "data": data})
    assert {job_id: world.job(job_id).state.value for job_id in jobs} == {
        job_id: "dead" if job_id == "j07" else "completed" for job_id in jobs
    }
    dead = world.job("j07")
    assert (dead.losses, dead.failure_kind) == (3, "worker_lost")
    assert "3 times" in dead.reason


def test_progress_clears_suspicion(world: World) -> None:
    world.submit("a", offline=False)
    for _ in range(2):
        world.claim()
        world.expire()
    batch = world.claim()
    world.run(batch)
    world.record(batch, {"type": "job.advanced", "jobs": ["a"], "data": {"segment": 1, "lane": "compute"}})
    for _ in range(2):
        world.claim()
        world.expire()
    assert (world.job("a").state, world.job("a").losses) == ("queued", 2)


def test_a_batch_handed_back_counts_against_nobody(world: World) -> None:
    world.submit("a", "b")
    for _ in range(4):
        batch = world.claim()
        assert ids(batch) == ["a", "b"]
        world.do("surrender", batch_id=batch["batch_id"], stage=None)
    assert (world.job("a").losses, world.job("a").execution) == (0, 5)
    assert isinstance(world.refused("surrender", batch_id=batch["batch_id"], stage=None), errors.BatchNotOwned)


def test_a_lost_batch_is_fenced(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.record(batch, started("ingest", ["a"]))
    world.expire()
    assert world.job("a").stages[0].status == "lost"
    events = [completed("ingest", ["a"])]
    assert isinstance(world.refused("record", batch_id=batch["batch_id"], events=events), errors.BatchNotOwned)
    again = world.claim()
    assert (again["jobs"][0]["execution"], again["jobs"][0]["attempt"]) == (2, 2)
    assert isinstance(world.refused("record", batch_id=batch["batch_id"], events=events), errors.BatchNotOwned)


def test_completed_stages_survive_a_lost_batch(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.record(batch, started("ingest", ["a"]), completed("ingest", ["a"]), started("parse", ["a"]))
    world.expire()
    batch = world.claim()
    assert (batch["stages"], batch["jobs"][0]["done"]) == (["parse", "chunk"], ["ingest"])


def test_recording_renews_the_lease(world: World) -> None:
    world.submit("a")
    batch = world.claim()
    world.core.overdue(world.clock)
    world.clock += 9
    world.record(batch, started("ingest", ["a"]))
    world.clock += 9
    assert world.core.overdue(world.clock) == []
    world.clock += 2
    assert len(world.core.overdue(world.clock)) == 1


@pytest.fixture
def batch() -> Batch:
    return Batch("b", "w", "compute", "plain", "1", 0, 0, ("ingest",), 10.0, {"a": None})


def test_a_lease_ends_at_the_stages_deadline(batch: Batch) -> None:
    leases = Leases()
    leases.renew(batch, 0.0, 4.0)
    assert leases.until("b") == 4.0
    assert leases.expired({"b": batch}, 3.9) == []
    assert leases.expired({"b": batch}, 4.1) == [("b", "deadline")]
    leases.renew(batch, 4.1, 100.0)
    assert leases.until("b") == pytest.approx(14.1)
    assert leases.expired({"b": batch}, 14.2) == [("b", "lease")]


def test_a_stalled_ledger_costs_nobody_a_batch(batch: Batch) -> None:
    leases = Leases()
    leases.renew(batch, 0.0, 4.0)
    leases.prolong(20.0)
    assert leases.expired({"b": batch}, 23.9) == []
    assert leases.expired({"b": batch}, 24.1) == [("b", "deadline")]


def test_a_batch_without_a_lease_gets_a_fresh_one(batch: Batch) -> None:
    leases = Leases()
    assert leases.expired({"b": batch}, 100.0) == []
    assert leases.until("b") == 110.0
    assert leases.expired({}, 200.0) == []
    assert leases.until("b") is None


def test_a_large_document_shares_its_batch_with_no_other(world: World) -> None:
    large = {"source": "file", "key": "x", "content": {"sha256": "a" * 64, "size": LARGE_BYTES}}
    said = {"source": "file", "key": "x", "metadata": {"size": str(LARGE_BYTES), "note": f'"size":{LARGE_BYTES}'}}
    world.submit("a", "b", submission=said)
    world.submit("c", "d", submission=large)
    world.submit("e")
    assert [ids(world.claim()) for _ in range(3)] == [["a", "b", "e"], ["c"], ["d"]]


def test_jobs_that_were_launched_together_stay_so_whatever_their_size(world: World) -> None:
    large = {"source": "file", "key": "x", "content": {"sha256": "a" * 64, "size": LARGE_BYTES}}
    world.submit("a", "b", submission=large)
    world.do("launch", run_id="r", job_ids=["a", "b"], by="someone")
    assert ids(world.claim()) == ["a", "b"]


def test_the_document_that_ran_over_its_deadline_is_tried_alone_and_the_others_go_on(world: World) -> None:
    world.submit(*"abcd")
    batch = world.claim()
    world.record(batch, started("ingest", ids(batch)))
    world.do("surrender", batch_id=batch["batch_id"], stage=None, over="c")
    event = world.log()[-1]
    assert (event.data.reason, event.data.stage) == ("deadline", "ingest")
    assert [entry.over for entry in event.data.entries] == [False, False, True, False]
    world.submit("e")
    assert sorted(ids(world.claim()) for _ in range(2)) == [["a", "b", "d", "e"], ["c"]]
    for _ in range(MAX_LOSSES):
        assert world.job("c").state.value != "dead"
        batch = world.claim(limit=1) if world.job("c").state.value == "queued" else {"batch_id": world.job("c").batch}
        world.do("surrender", batch_id=batch["batch_id"], stage=None, over="c")
    assert world.job("c").state.value == "dead"
    assert {world.job(each).losses for each in "abde"} == {0}


def test_nobody_loses_a_batch_for_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the ledger can record nothing, an engine can neither go on nor give its batch back."""
    world.submit("a")
    world.claim()
    writer = Writer(world.core, lambda *_: None)
    writer._due_leases(world.clock)
    monkeypatch.setattr(world.core.store, "has_room", lambda: False)
    for _ in range(10):
        world.clock += 60.0
        assert writer._due_leases(world.clock) == []
    monkeypatch.undo()
    world.clock += 1.0
    assert writer._due_leases(world.clock) == []
    world.clock += 1.0
    assert writer._due_leases(world.clock) == []
