"""Changed settings become acts, with both values and without secrets, once each."""

import os
from pathlib import Path
from typing import cast

import pytest

from medkg_lab.bridge import settings_changes
from medkg_lab.folders import user_name
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations, locate
from medkg_lab.settings import load
from tests.unit.ledger.test_ledger_acts import Ledger


@pytest.fixture
def locations(tmp_path: Path) -> Locations:
    found = locate(tmp_path / "lab")
    for folder in (found.config, found.state):
        folder.mkdir(parents=True)
    return found


def note(ledger: Ledger, locations: Locations, text: str) -> None:
    (locations.config / "settings.yaml").write_text(text)
    settings_changes.note(cast(LedgerClient, ledger), locations, load(locations))


def told(ledger: Ledger) -> list[tuple[str, str, str]]:
    return [(one.subject, one.before, one.after) for one in ledger.acts]


def test_a_first_start_changes_nothing_and_a_later_one_says_what(locations: Locations) -> None:
    ledger = Ledger()
    note(ledger, locations, "logs: {format: json}\n")
    assert told(ledger) == []
    note(ledger, locations, "logs: {format: text}\nbatch_limit: 12\n")
    assert told(ledger) == [("batch_limit", "48", "12"), ("logs.format", "json", "text")]
    assert {one.by for one in ledger.acts} == {user_name(os.getuid())}
    note(ledger, locations, "logs: {format: text}\nbatch_limit: 12\n")
    assert len(ledger.acts) == 2


def test_a_start_that_is_interrupted_tells_each_change_once(locations: Locations) -> None:
    ledger, seen = Ledger(), locations.state / settings_changes.FILE
    note(ledger, locations, "")
    before = seen.read_bytes()
    note(ledger, locations, "batch_limit: 12\n")
    seen.write_bytes(before)
    settings_changes.note(cast(LedgerClient, ledger), locations, load(locations))
    assert told(ledger) == [("batch_limit", "48", "12")]


def test_a_key_of_a_source_is_never_written_down(locations: Locations) -> None:
    ledger = Ledger()
    note(ledger, locations, "sources: {core: {api_key: the-first-secret, base_url: 'http://a'}}\n")
    note(ledger, locations, "sources: {core: {api_key: another-secret, base_url: 'http://b'}}\n")
    key, url = told(ledger)
    assert key[0] == "sources.core.api_key"
    assert key[1] != key[2]
    assert url == ("sources.core.base_url", "http://a", "http://b")
    kept = (locations.state / settings_changes.FILE).read_text() + repr(ledger.acts)
    assert "first-secret" not in kept
    assert "another-secret" not in kept
    (locations.state / settings_changes.FILE).write_text("damaged")
    note(ledger, locations, "")
    assert len(ledger.acts) == 2
