"""Event sinks: fed from their first start on, in order, and again after they failed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import plugins
from medkg_lab.bridge.sinks import SinkFeed
from medkg_lab.events.sinks import BrokenSink, UnknownSink, make
from medkg_lab.ledger.client import LedgerClient
from tests.integration.engine.processes import Lab
from tests.integration.ledger.harness import register, submit


class Memory:
    """A sink that keeps what it gets, and refuses the next `refusing` times."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.refusing = int(settings["refusing"])
        self.kept: list[Mapping[str, Any]] = []

    def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        if self.refusing:
            self.refusing -= 1
            raise ConnectionError("nobody is there")
        self.kept += events


@pytest.fixture
def ledger(short_tmp: Path) -> Iterator[LedgerClient]:
    lab = Lab(short_tmp / "home")
    try:
        lab.start("medkg_lab.ledger")
        with lab.client() as client:
            yield client
    finally:
        lab.stop()


def test_a_sink_gets_what_happens_after_its_start_once_it_takes_it(ledger: LedgerClient) -> None:
    register(ledger)
    submit(ledger, "before")
    sink, pauses = Memory({"refusing": 2}), []

    def stopping(seconds: float) -> bool:
        if seconds:
            pauses.append(seconds)
        return bool(sink.kept)

    feed = SinkFeed("memory", sink, ledger, stopping)
    feed.step(0)
    submit(ledger, "one", "two")
    feed.run()
    assert pauses == [1.0, 2.0]
    assert [(one["jobid"], one["type"].rpartition(".")[2]) for one in sink.kept] == [
        ("one", "submitted"),
        ("two", "submitted"),
    ]
    assert all(one["specversion"] == "1.0" for one in sink.kept)
    again = Memory({"refusing": 0})
    submit(ledger, "three")
    SinkFeed("memory", again, ledger, stopping).step(0)
    assert [one["jobid"] for one in again.kept] == ["three"]
    assert ledger.bookmarks()["sink:memory"]["seq"] == ledger.counts().head


def test_a_sink_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownSink, match="nobody"):
        make("nobody", {})
    monkeypatch.setattr(plugins, "names", lambda group: ("memory",))
    monkeypatch.setattr(plugins, "load", lambda group, name: Memory)
    with pytest.raises(BrokenSink, match="refusing"):
        make("memory", {})
