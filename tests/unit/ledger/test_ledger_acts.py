"""Acts that concern no job: noted, kept while no ledger runs, counted when strangers repeat them, and never let out."""

from pathlib import Path
from typing import Any, cast

import pytest

from medkg_lab.ledger import acts
from medkg_lab.ledger.acts import MAX_KINDS, OTHERS, AccessLog
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.commands.acts import MAX_CHARACTERS, NoteAct
from medkg_lab.ledger.core import Request
from medkg_lab.ledger.errors import MalformedCommand
from medkg_lab.models.events import ActNoted
from medkg_lab.repro.slices import cut
from medkg_lab.rpc import PeerUnreachable
from tests.unit.ledger.worlds import World

CHANGE = ActNoted("settings.changed", "anna", "logs.format", "text", "json", "because", 1)


def noted(world: World, id: str, **changes: Any) -> Any:
    given = {"action": "settings.changed", "by": "anna", "subject": "logs.format", "count": 1} | changes
    return world.carry_out(Request(NoteAct.parse({"id": id, **given})))[0]


def audit(world: World) -> list[tuple[Any, ...]]:
    world.core.project()
    cursor = world.core.views.cursor()
    return cursor.execute("SELECT action, actor, subject, before, after, why FROM audit ORDER BY seq").fetchall()


def test_an_act_is_noted_once_and_stays_through_a_restart_and_lost_views(world: World) -> None:
    first = noted(world, "a", before="text", after="json")
    assert noted(world, "a", before="text", after="json") == first
    world.to_gate("j")
    world.do("gate_reject", job_id="j", by="ben", why="a scan")
    expected = [
        ("definition.registered", "", "topology plain", "", audit(world)[0][4], ""),
        ("definition.registered", "", "topology gated", "", audit(world)[1][4], ""),
        ("settings.changed", "anna", "logs.format", "text", "json", ""),
        ("gate.rejected", "ben", "gate gate", "waiting", "rejected", "a scan"),
        ("job.cancelled", "ben", "job", "", "cancelled", "a scan"),
    ]
    assert audit(world) == expected
    world.restart()
    assert audit(world) == expected
    world.core.views.discard()
    world.restart(project=False)
    assert audit(world) == expected


def test_an_act_is_bounded_and_never_part_of_an_incident(world: World) -> None:
    noted(world, "a", why="x" * 10_000)
    [event] = [one for one in world.log() if isinstance(one.data, ActNoted)]
    assert len(event.data.why) == MAX_CHARACTERS
    assert cut(event, {"j1"}) is None
    for wrong in ({"action": ""}, {"count": 0}, {"count": True}, {"by": 7}):
        with pytest.raises(MalformedCommand):
            noted(world, "b", **wrong)


class Ledger:
    """Takes acts, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.got: dict[str, ActNoted] = {}

    def note_act(self, act: ActNoted, *, id: str | None = None) -> None:
        if self.away:
            raise PeerUnreachable(path="ledger", op="note_act", seconds=1, detail="away")
        self.got.setdefault(id or f"n{len(self.got)}", act)

    @property
    def acts(self) -> list[ActNoted]:
        return list(self.got.values())


def test_what_is_kept_is_delivered_once_even_when_that_is_interrupted(tmp_path: Path) -> None:
    ledger = Ledger()
    for subject in ("a", "b"):
        acts.append(tmp_path, ActNoted("incident.imported", "anna", subject, after="j1"))
    assert (tmp_path / acts.FILE).stat().st_mode & 0o777 == 0o600
    before = (tmp_path / acts.FILE).read_bytes()
    acts.deliver(tmp_path, cast(LedgerClient, ledger))
    (tmp_path / acts.FILE).write_bytes(before + b"half of a li\n")
    acts.append(tmp_path, ActNoted("incident.imported", "anna", "c"))
    acts.deliver(tmp_path, cast(LedgerClient, ledger))
    acts.deliver(tmp_path, cast(LedgerClient, ledger))
    assert [(one.subject, one.by) for one in ledger.acts] == [("a", "anna"), ("b", "anna"), ("c", "anna")]
    assert all("UTC" in one.why for one in ledger.acts)
    assert (tmp_path / acts.FILE).read_bytes() == b""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_refusals_that_repeat_are_told_of_once_a_minute_with_their_number() -> None:
    ledger, clock = Ledger(), Clock()
    log = AccessLog(cast(LedgerClient, ledger), clock)
    for second in range(150):
        clock.now = float(second)
        log.refused("mallory", "Dagster's pages", "login needed")
        log.flush()
    assert [one.count for one in ledger.acts] == [1, 60, 60]
    log.flush(everything=True)
    assert sum(one.count for one in ledger.acts) == 150
    assert {(one.action, one.by) for one in ledger.acts} == {(acts.REFUSED, "mallory")}


def test_the_requests_of_one_login_are_one_and_different_ones_are_all_told_of() -> None:
    ledger, clock = Ledger(), Clock()
    log = AccessLog(cast(LedgerClient, ledger), clock)
    for second in range(0, 4000, 100):
        clock.now = float(second)
        log.accepted("anna", "the HTTP API", "a token", once=True)
        log.flush()
    assert len(ledger.acts) == 2
    log.accepted("ben", "Dagster's pages", "a one-time code")
    log.accepted("ben", "Dagster's pages", "a one-time code")
    log.flush()
    assert ledger.acts[-1].count == 2


def test_strangers_cannot_fill_memory_and_nothing_is_lost_while_the_ledger_is_away() -> None:
    ledger, clock = Ledger(), Clock()
    log = AccessLog(cast(LedgerClient, ledger), clock)
    for number in range(MAX_KINDS * 2):
        log.refused(f"user{number}", "Dagster's pages", "login needed")
    ledger.away = True
    log.flush()
    ledger.away = False
    clock.now = 61.0
    log.flush()
    assert len(ledger.acts) == MAX_KINDS + 1
    assert sum(one.count for one in ledger.acts) == MAX_KINDS * 2
    assert next(one.count for one in ledger.acts if one.why == OTHERS) == MAX_KINDS
