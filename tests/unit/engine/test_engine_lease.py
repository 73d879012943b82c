"""The lease of a batch: how long a stage may go on, and what is said of the one that does not end."""

import queue
from typing import Any, cast

from medkg_lab.engine.lease import MARGIN_S, Lease
from medkg_lab.ledger.client import LedgerClient


class Ledger:
    """A ledger that hears heartbeats."""

    def __init__(self) -> None:
        self.heard: queue.Queue[float | None] = queue.Queue()

    def heartbeat(self, batch_id: str, deadline_s: float | None = None) -> dict[str, Any]:
        self.heard.put(deadline_s)
        return {"owned": True, "cancelled": []}


def test_what_runs_over_its_deadline_is_named_with_the_document_it_was_at() -> None:
    over: queue.Queue[tuple[str, str | None]] = queue.Queue()
    lease = Lease(cast(LedgerClient, Ledger()), 30.0, 0.05, lambda batch, job: over.put((batch, job)))
    lease.begin("b")
    lease.stage("j1")
    lease.stage("j2")
    assert over.get(timeout=10) == ("b", "j2")
    lease.end()
    lease.close()


def test_the_ledger_waits_a_little_longer_than_the_engine() -> None:
    ledger = Ledger()
    lease = Lease(cast(LedgerClient, ledger), 0.03, 600.0, lambda *_: None)
    lease.begin("b")
    lease.stage("j1")
    deadline = ledger.heard.get(timeout=10)
    assert deadline is not None
    assert 599.0 < deadline - MARGIN_S <= 600.0
    lease.end()
    lease.close()
