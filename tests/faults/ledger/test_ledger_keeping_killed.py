"""The ledger is killed while it prunes or takes a snapshot: every event is still read once, and the next try succeeds."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from tests.integration.ledger.harness import LedgerProcess, claim, register, run, submit
from tests.told import logged
from tests.unit.ledger.worlds import done

ROUNDS = 6
LATER = 0.012
"""Seconds by which each round kills later than the one before, so that all parts of the work are met."""
KEPT = 3
READERS = ("outbox", "recorder", "knowledge")


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        with made.client() as client:
            register(client)
        yield made


def work(client: LedgerClient, name: str) -> list[dict[str, Any]]:
    """Run some jobs, have every reader seen them, and return all events there are."""
    for number in range(4):
        submit(client, f"{name}-{number}a", f"{name}-{number}b")
        batch = claim(client)
        client.record(batch.batch_id, [done(run(client, batch))])
    seen(client)
    return everything(client)


def seen(client: LedgerClient) -> None:
    """Have every reader tell that it has come to the end."""
    head = int(client.counts().head)
    for view in READERS:
        client.position(view, head)


def everything(client: LedgerClient) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = logged(client, 0, limit=10_000)
    return events


def killed_during(process: LedgerProcess, ask: Callable[[LedgerClient], object], seconds: float) -> None:
    """Ask for something long, kill the ledger so many seconds later, and start it again."""

    def asking() -> None:
        try:
            with process.client(deadline=1.0) as client:
                ask(client)
        except LabError:
            outcomes.append("unanswered")

    outcomes: list[str] = []
    thread = threading.Thread(target=asking)
    thread.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    process.kill()
    thread.join()
    process.start()


def test_pruning_that_is_killed_loses_no_event(process: LedgerProcess) -> None:
    for number in range(ROUNDS):
        with process.client() as client:
            before = work(client, f"r{number}")
        killed_during(process, partial(LedgerClient.prune, keep=KEPT), number * LATER)
        with process.client() as client:
            assert everything(client) == before
    with process.client() as client:
        seen(client)
        client.prune(keep=KEPT)
        assert everything(client) == before
        archived = client.query("SELECT count(*), min(seq), max(seq) FROM event_archive").rows
        assert archived == [[len(before) - KEPT, 1, len(before) - KEPT]]


def test_a_snapshot_that_is_killed_is_never_taken_for_one(process: LedgerProcess, tmp_path: Path) -> None:
    with process.client() as client:
        before = work(client, "a")
    for number in range(ROUNDS):
        folder = tmp_path / f"copy-{number}"
        killed_during(process, partial(LedgerClient.snapshot, path=folder), number * LATER)
        with process.client() as client:
            assert everything(client) == before
        if (folder / "manifest.json").exists():
            assert sorted(part.suffix for part in folder.rglob("*") if part.suffix == ".part") == []
    with process.client() as client:
        made = client.snapshot(tmp_path / "whole")
        assert made.head == len(before)
