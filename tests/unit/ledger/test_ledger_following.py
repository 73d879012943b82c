"""A view with its place: files that are damaged or old, ledgers that were restored, events that are gone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from medkg_lab.ledger.client import EventPage, LedgerClient
from medkg_lab.ledger.errors import EventsPruned
from medkg_lab.ledger.following import follow, resume
from medkg_lab.ledger.positions import Positions
from medkg_lab.ledger.view_file import Place, ViewFile
from medkg_lab.models.events import DefinitionRegistered, Event

TABLES = ("CREATE TABLE seen (seq INTEGER PRIMARY KEY)",)


def some(count: int, command: str = "c") -> list[Event]:
    return [
        Event(seq, f"{command}{seq}", 1.0, DefinitionRegistered("topology", "x", str(seq), "{}"))
        for seq in range(1, count + 1)
    ]


class Seen:
    """Remembers the numbers of the events."""

    def __init__(self, path: Path) -> None:
        self.file = ViewFile(path, TABLES, 1)

    @property
    def place(self) -> Place:
        return self.file.place

    def apply(self, events: Sequence[Event]) -> None:
        with self.file.writing(Place(events[-1].seq, events[-1].id)) as connection:
            connection.executemany("INSERT INTO seen VALUES (?)", [(event.seq,) for event in events])

    def begin_again(self, seq: int) -> None:
        self.file.begin_again(seq)

    def skip(self, seq: int) -> None:
        with self.file.writing(Place(seq)):
            pass

    @property
    def numbers(self) -> list[object]:
        return [row[0] for row in self.file.rows("SELECT seq FROM seen ORDER BY seq")]


@dataclass
class Ledger:
    """A log in memory, of which the events up to `low` are gone."""

    log: list[Event]
    low: int = 0
    told: dict[str, int] = field(default_factory=dict)

    def events(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> EventPage:
        if after < self.low:
            raise EventsPruned(low=self.low, path=Path("archive"))
        return EventPage(tuple(self.log[after : after + limit]), len(self.log))

    def counts(self) -> Any:
        return EventPage((), len(self.log))

    def low_waters(self) -> dict[str, int]:
        return {"ledger": self.low}

    def position(self, view: str, seq: int) -> None:
        self.told[view] = seq

    def feed(self, view: Seen, rounds: int = 2) -> None:
        left = [False] * rounds + [True]
        follow(cast(LedgerClient, self), "seen", view, lambda seconds=0: False if seconds else left.pop(0))


def test_a_view_goes_on_where_it_was(tmp_path: Path) -> None:
    ledger = Ledger(some(3))
    ledger.feed(Seen(tmp_path / "seen.sqlite"))
    ledger.log = some(5)
    again = Seen(tmp_path / "seen.sqlite")
    ledger.feed(again)
    assert (again.numbers, ledger.told) == ([1, 2, 3, 4, 5], {"seen": 5})


@pytest.mark.parametrize("log", [some(2), some(7, "other")])
def test_of_another_ledger_it_begins_again(tmp_path: Path, log: list[Event]) -> None:
    view = Seen(tmp_path / "seen.sqlite")
    Ledger(some(5)).feed(view)
    Ledger(log).feed(view)
    assert view.numbers == [event.seq for event in log]


def test_a_ledger_that_is_recovered_meanwhile_is_noticed(tmp_path: Path) -> None:
    view, ledger = Seen(tmp_path / "seen.sqlite"), Ledger(some(5))
    ledger.feed(view)
    ledger.log = some(3)
    ledger.feed(view, rounds=3)
    assert view.numbers == [1, 2, 3]


def test_events_that_are_gone_are_told_of_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    view = Seen(tmp_path / "seen.sqlite")
    Ledger(some(2)).feed(view)
    with caplog.at_level(logging.ERROR):
        Ledger(some(9), low=6).feed(view)
    assert view.numbers == [1, 2, 7, 8, 9]
    assert "events 3 to 6 were removed before seen had read them" in caplog.text
    fresh = Seen(tmp_path / "fresh.sqlite")
    resume(cast(LedgerClient, Ledger(some(9), low=6)), "seen", fresh)
    assert fresh.place == Place(6)


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    view = Seen(tmp_path / "seen.sqlite")
    view.apply(some(2))
    with pytest.raises(RuntimeError), view.file.writing(Place(9, "x")) as connection:
        connection.execute("INSERT INTO seen VALUES (9)")
        raise RuntimeError
    assert (view.numbers, view.place) == ([1, 2], Place(2, "c2"))


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\0" * 4000])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seen.sqlite").write_bytes(content)
    view = Seen(tmp_path / "seen.sqlite")
    assert (view.numbers, view.place) == ([], Place(0))


def test_a_file_of_another_version_is_made_again(tmp_path: Path) -> None:
    Seen(tmp_path / "seen.sqlite").apply(some(2))
    other = ViewFile(tmp_path / "seen.sqlite", ("CREATE TABLE other (x)",), 2)
    assert (other.rows("SELECT * FROM other"), other.place) == ([], Place(0))


def test_a_reader_that_the_lab_has_no_more_holds_up_nothing(tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    first = Positions(path, ["metrics"])
    assert first.readers()["metrics"] == 0
    first.set("metrics", 3)
    first.set("outbox", 5)
    first.save()
    assert Positions(path, ["metrics"]).readers()["metrics"] == 3
    assert Positions(path).readers() == {"outbox": 5, "recorder": 0, "knowledge": 0}
