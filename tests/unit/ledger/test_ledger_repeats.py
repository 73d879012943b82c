"""The same command id gets the first answer, soon after, much later, and after a restart."""

from typing import Any

import pytest

from medkg_lab.ledger import core, errors
from medkg_lab.ledger.commands.jobs import Submit
from medkg_lab.ledger.core import Request, Window
from tests.unit.ledger.worlds import EVIDENCE, World, spec, started


def all_kinds(world: World) -> list[tuple[str, dict[str, Any], Any]]:
    """One command of every kind that an engine, a person or a process sends, with its answer."""
    world.to_gate("x", "y")
    field: dict[str, Any] = {
        "field": "pdf_ir_ready",
        "value": False,
        "by": "pdf",
        "evidence": {**EVIDENCE, "missing_pages": [1]},
    }
    world.do("set_field", job_id="x", **field)
    jobs = _specs("p", "q")
    commands: list[tuple[str, dict[str, Any]]] = [
        ("submit", {"id": "i1", "jobs": jobs}),
        ("claim", {"id": "i2", "worker": "w", "lanes": ["compute"], "limit": 1, "lease_s": 10.0}),
        ("gate_open", {"id": "i3", "job_id": "x", "by": "me", "partial": True}),
        ("gate_reject", {"id": "i4", "job_id": "y", "by": "me", "why": "no"}),
        ("cancel", {"id": "i5", "job_id": "q", "by": "me", "why": "no"}),
        ("retry", {"id": "i6", "job_id": "q", "by": "me"}),
        ("launch", {"id": "i7", "run_id": "r", "job_ids": ["q"], "by": "me"}),
    ]
    return [(op, args, world.do(op, **args)) for op, args in commands]


def _specs(*jobs: str) -> list[dict[str, Any]]:
    return [spec(job_id) for job_id in jobs]


def repeat_all(world: World, done: list[tuple[str, dict[str, Any], Any]], resend: bool) -> None:
    """Send all again; nothing may happen."""
    head = world.core.store.head
    for op, args, answer in done:
        again = world.do(op, **args, resend=resend)
        if op == "submit":  # the state is that of now
            again, answer = ([{**each, "state": None} for each in given] for given in (again, answer))
        assert again == answer
    assert world.core.store.head == head


def test_repeated_at_once(world: World) -> None:
    repeat_all(world, all_kinds(world), resend=False)


def test_repeated_after_a_restart(world: World) -> None:
    done = all_kinds(world)
    world.restart()
    repeat_all(world, done, resend=False)


def test_repeated_when_long_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "SIZE_EVENTS", 3)
    done = all_kinds(world)
    world.restart()
    assert not world.core.window.complete
    repeat_all(world, done, resend=True)


def test_repeated_within_one_commit(world: World) -> None:
    request = Request(Submit.parse({"id": "once", "jobs": _specs("a")}))
    assert world.carry_out(request, request) == [[{"job_id": "a", "new": True, "state": "queued"}]] * 2
    assert sum(event.id == "once" for event in world.log()) == 1


def test_a_lost_claim_is_not_given_again(world: World) -> None:
    world.submit("a")
    assert world.claim(id="mine") is not None
    world.expire()
    assert world.claim(id="mine") is None
    assert world.claim() is not None


def test_another_command_with_the_same_id_is_refused(world: World) -> None:
    world.submit("a")
    world.do("cancel", id="mine", job_id="a", by="me", why="no")
    assert isinstance(world.refused("retry", id="mine", job_id="a", by="me"), errors.CommandIdReused)


@pytest.mark.parametrize("wrong", ["", "a~1", "x" * 201, 7])
def test_odd_ids_are_refused(world: World, wrong: object) -> None:
    with pytest.raises(errors.MalformedCommand):
        Submit.parse({"id": wrong, "jobs": []})


def test_several_events_of_one_command_are_found_again(world: World) -> None:
    world.submit("a", "b")
    batch = world.claim()
    args = {"batch_id": batch["batch_id"], "events": [started("ingest", ["a", "b"]), started("parse", ["a", "b"])]}
    first = world.do("record", id="two", **args)
    assert world.do("record", id="two", **args) == first
    assert [event.id for event in world.log()[-2:]] == ["two", "two~1"]


def test_the_window_keeps_the_newest() -> None:
    window = Window([(5, "a"), (6, "a~1"), (7, "b")], size=2)
    assert (window.span("a"), window.span("b"), window.start, window.complete) == (range(5, 7), range(7, 8), 5, False)
    assert Window().complete


def test_an_id_that_comes_again_with_other_jobs_is_refused_and_ends_nothing(world: World) -> None:
    world.do("submit", id="same", jobs=_specs("p"))
    with pytest.raises(errors.CommandIdReused):
        world.do("submit", id="same", jobs=_specs("other"))
    assert world.do("submit", id="same", jobs=_specs("p"))[0]["job_id"] == "p"
