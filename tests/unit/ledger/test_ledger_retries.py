"""Jobs that are run again: by the lab itself where a process of its own was at fault, and many at once by a person."""

import pytest

from medkg_lab.ledger import errors
from medkg_lab.ledger.core import CHECK_INTERVAL_S, OWN_RETRIES_AT_ONCE
from medkg_lab.ledger.errors import IllegalTransition, MalformedCommand
from medkg_lab.ledger.own_failures import ENGINE, PAUSES
from medkg_lab.models.events import ACKNOWLEDGED, Event, EventType
from tests.unit.ledger.worlds import World, completed, done, failed, ids, ref, spec, started

LONG = max(PAUSES) + 1.0


def fail(world: World, *jobs: str, own: str | None = None) -> None:
    """Have jobs fail at their second stage."""
    batch = world.claim()
    if "ingest" in batch["stages"]:
        world.record(batch, started("ingest", ids(batch)), completed("ingest", ids(batch)))
    world.record(batch, started("parse", ids(batch)))
    for job_id in jobs:
        world.record(batch, *failed("parse", job_id, own))


def wait(world: World, seconds: float) -> list[str]:
    """Let the time go by; the jobs that the lab ran again by itself then."""
    world.clock += seconds
    head = world.core.store.head
    world.carry_out(*world.core.own_failures(1000.0 + world.clock))
    found = [event for event in world.log() if event.seq > head and event.type is EventType.JOB_REQUEUED]
    return [event.jobs[0] for event in found]


def requeued(world: World) -> list[Event]:
    return [event for event in world.log() if event.type is EventType.JOB_REQUEUED]


def test_a_failure_by_the_lab_s_own_fault_is_retried_twice_and_no_more(world: World) -> None:
    world.submit("a")
    fail(world, "a", own="knowledge")
    assert (world.job("a").state, world.job("a").own) == ("failed", "knowledge")
    assert wait(world, PAUSES[0] / 2) == []
    assert wait(world, PAUSES[0]) == ["a"]
    assert (world.job("a").state, world.job("a").own, world.job("a").own_retries) == ("queued", None, 1)
    assert (requeued(world)[0].data.by, requeued(world)[0].data.from_stage) == ("lab", "parse")
    assert "knowledge was at fault" in requeued(world)[0].data.why
    fail(world, "a", own="knowledge")
    assert wait(world, PAUSES[0] + 1) == []
    assert wait(world, PAUSES[1]) == ["a"]
    fail(world, "a", own="knowledge")
    assert wait(world, LONG) == []
    assert not world.core.state.own_failures


def test_no_other_failure_is_retried(world: World) -> None:
    world.submit("a")
    fail(world, "a")
    assert wait(world, LONG) == []
    assert world.job("a").state == "failed"


def test_a_part_that_is_away_is_waited_for(world: World) -> None:
    world.submit("a")
    fail(world, "a", own="knowledge")
    world.core.is_part_working = lambda part: part != "knowledge"
    assert wait(world, LONG) == []
    world.core.is_part_working = lambda part: True
    assert wait(world, CHECK_INTERVAL_S) == ["a"]


def test_what_waits_for_a_part_that_is_away_holds_nobody_up(world: World) -> None:
    """However many wait for one process, the jobs of another get their turn, and nobody is looked up each second."""
    away = [f"k{number}" for number in range(OWN_RETRIES_AT_ONCE)]
    for job_id in (*away, "e"):
        world.submit(job_id)
        fail(world, job_id, own="engine" if job_id == "e" else "knowledge")
    asked: list[str] = []

    def is_whole(part: str) -> bool:
        asked.append(part)
        return part != "knowledge"

    world.core.is_part_working = is_whole
    found = [*wait(world, LONG), *wait(world, 1.0), *wait(world, 1.0)]
    assert found == ["e"]
    assert len(asked) <= len(away) + 1


@pytest.mark.parametrize("project", [True, False])
def test_a_restart_forgets_none_of_them(world: World, project: bool) -> None:
    world.submit("a", "b")
    fail(world, "a", "b", own="knowledge")
    world.restart(project)
    assert sorted(wait(world, LONG)) == ["a", "b"]


def test_what_a_person_retries_counts_anew(world: World) -> None:
    world.submit("a")
    fail(world, "a", own="knowledge")
    assert wait(world, LONG) == ["a"]
    fail(world, "a", own="knowledge")
    world.do("retry", job_id="a", from_stage=None, by="someone")
    assert world.job("a").own_retries == 0
    assert wait(world, LONG) == []


def lose(world: World, times: int) -> None:
    for _ in range(times):
        assert world.claim() is not None
        world.expire()


def test_a_job_whose_engines_were_lost_gets_one_more_try_each_time(world: World) -> None:
    world.submit("a")
    lose(world, 3)
    assert (world.job("a").state, world.job("a").own) == ("dead", ENGINE)
    assert wait(world, LONG) == ["a"]
    lose(world, 1)
    assert world.job("a").state == "dead"
    assert wait(world, LONG) == ["a"]
    lose(world, 1)
    assert world.job("a").state == "dead"
    assert wait(world, LONG) == [], "a document that ends every engine stays dead"


def test_a_document_that_runs_over_its_deadline_stays_dead(world: World) -> None:
    world.submit("a")
    for _ in range(3):
        batch = world.claim()
        world.do("surrender", batch_id=batch["batch_id"], stage="parse", over="a")
    assert (world.job("a").state, world.job("a").own) == ("dead", None)
    assert wait(world, LONG) == []


def test_an_innocent_one_ends_well_after_that(world: World) -> None:
    world.submit("a")
    lose(world, 3)
    wait(world, LONG)
    batch = world.claim()
    world.run(batch)
    world.record(batch, done(["a"]))
    assert (world.job("a").state, world.job("a").outputs["chunks"]) == ("completed", ref("chunk", "a"))


def test_many_are_retried_at_once_and_again_none(world: World) -> None:
    world.submit("a", "b", "c", "d")
    fail(world, "a", "b", "c")
    args = {"job_ids": ["a", "b", "d", "nobody"], "state": "failed", "kind": "bad_input", "by": "someone"}
    assert world.do("retry_many", **args) == {"job_ids": ["a", "b"]}
    assert [world.job(each).state.value for each in "abcd"] == ["queued", "queued", "failed", "running"]
    assert world.do("retry_many", **args) == {"job_ids": []}
    assert world.do("retry_many", **{**args, "job_ids": ["c"], "kind": "internal"}) == {"job_ids": []}
    assert world.do("retry_many", **{**args, "job_ids": ["c"], "kind": None}) == {"job_ids": ["c"]}


def test_a_repeated_command_gets_the_first_answer(world: World) -> None:
    world.submit("a")
    fail(world, "a")
    args = {"job_ids": ["a"], "state": "failed", "kind": None, "by": "someone", "id": "once"}
    assert world.do("retry_many", **args) == world.do("retry_many", **args, resend=True) == {"job_ids": ["a"]}


@pytest.mark.parametrize("change", [{"state": "queued"}, {"job_ids": ["a", "a"]}, {"job_ids": "a"}, {"by": ""}])
def test_what_cannot_be_meant_is_refused(world: World, change: dict[str, object]) -> None:
    args: dict[str, object] = {"job_ids": ["a"], "state": "failed", "kind": None, "by": "someone"}
    assert isinstance(world.refused("retry_many", **{**args, **change}), errors.MalformedCommand)


def test_what_cannot_be_written_down_is_refused_and_ends_nobody(world: World) -> None:
    world.submit("a")
    deep: dict[str, object] = {}
    for _ in range(400):
        deep = {"deeper": deep}
    wanted = spec("b", submission={"source": "file", "deep": deep})
    assert isinstance(world.refused("submit", jobs=[wanted]), errors.LedgerError)
    assert world.job("a").fields == {}
    world.submit("b")
    world.restart(project=False)
    assert world.job("b").state == "queued"


def test_a_failure_that_was_seen_stays_so_until_the_job_runs_again(world: World) -> None:
    world.submit("a", "b")
    fail(world, "a")
    ended = world.job("a").updated_at
    args = {"job_ids": ["a", "b", "nobody"], "by": "anna"}
    assert world.do("acknowledge", **args) == {"job_ids": ["a"]}
    assert world.do("acknowledge", **args) == {"job_ids": []}
    seen = world.job("a")
    assert (seen.state, seen.fields[ACKNOWLEDGED], seen.updated_at) == ("failed", seen.execution, ended)
    world.do("surrender", batch_id=str(world.job("b").batch), stage=None)
    world.do("retry", job_id="a", from_stage=None, by="anna")
    assert world.job("a").fields[ACKNOWLEDGED] != world.job("a").execution


def test_what_has_not_failed_cannot_be_acknowledged_and_the_field_is_the_ledgers_own(world: World) -> None:
    world.submit("a")
    with pytest.raises(IllegalTransition):
        world.do("acknowledge", job_ids=["a"], by="anna")
    with pytest.raises(MalformedCommand):
        world.do("set_field", job_id="a", field=ACKNOWLEDGED, value=1, by="anna", evidence={})
