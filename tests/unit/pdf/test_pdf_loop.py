"""The loop over waiting PDFs: what is away is waited for, and no job holds up the others."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from medkg_lab.errors import LabError
from medkg_lab.pdf import loop
from medkg_lab.pdf.errors import MineruUnreachable
from medkg_lab.pdf.loop import Loop
from medkg_lab.pdf.request_consumer import RequestConsumer
from medkg_lab.pdf.worker import Outcome, Worker
from medkg_lab.rpc import PeerClosing, RemoteFailure


class Silence:
    """Messages that never come."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def poll(self, wake: Callable[[], None]) -> None:
        self._closed.wait(0.01)

    def close(self) -> None:
        self._closed.set()


class Conversions:
    """A worker whose jobs fail so many times before they are done."""

    ledger = None

    def __init__(self, failures: Mapping[str, list[LabError]]) -> None:
        self.failures = {job: list(errors) for job, errors in failures.items()}
        self.tried: list[str] = []
        self.all_done = threading.Event()

    def handle(self, job_id: str, stopping: Callable[[], bool]) -> Outcome:
        self.tried.append(job_id)
        if self.failures[job_id]:
            raise self.failures[job_id].pop(0)
        del self.failures[job_id]
        if not self.failures:
            self.all_done.set()
        return Outcome.READY


def tried(monkeypatch: pytest.MonkeyPatch, failures: Mapping[str, list[LabError]]) -> list[str]:
    """The jobs in the order in which they were tried until all were done."""
    monkeypatch.setattr(loop, "RETRY_INTERVAL_S", 0.01)
    worker = Conversions(failures)
    monkeypatch.setattr(loop, "waiting_jobs", lambda ledger: list(worker.failures))
    made = Loop(cast("RequestConsumer", Silence()), cast("Worker", worker), worker.all_done.wait, sweep_s=0.01)
    made.run()
    assert worker.all_done.is_set()
    return worker.tried


def failure() -> LabError:
    fields: dict[str, Any] = {"path": "ledger.sock", "op": "set_field", "detail": "a bug"}
    return RemoteFailure(**fields)


@pytest.mark.parametrize("away", [PeerClosing(), MineruUnreachable(base_url="http://127.0.0.1:1", detail="refused")])
def test_what_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch, away: LabError) -> None:
    assert tried(monkeypatch, {"first": [away, away], "second": []}) == ["first", "first", "first", "second"]


def test_a_job_that_fails_again_and_again_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tried(monkeypatch, {"first": [failure() for _ in range(3)], "second": []})
    assert found == ["first", "second", "first", "first", "first"]
