"""A ledger that is stopped in order, as `restart` does it: for everyone it is away, and nothing that anyone sent is dropped."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import rpc
from medkg_lab.failures import describe
from medkg_lab.ledger import errors
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named
from medkg_lab.resilience.faults import counts_against_service, worth_retrying
from tests.integration.ledger.harness import LedgerProcess, claim, register, submit
from tests.unit.ledger.worlds import completed, done, started
from tests.waiting import wait_until

ROUNDS = 4


@pytest.fixture
def ledger(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as process:
        process.start()
        with process.client() as client:
            register(client)
        yield process


@contextmanager
def in_threads(work: Any, number: int, ended: threading.Event) -> Iterator[list[BaseException]]:
    """Repeat `work` in so many threads until the block ends; what goes wrong in them is in the list."""
    problems: list[BaseException] = []

    def repeat(n: int) -> None:
        try:
            while not ended.is_set():
                work(n)
        except BaseException as error:  # noqa: BLE001 - the test looks at what its threads met
            problems.append(error)

    threads = [threading.Thread(target=repeat, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield problems
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)


def test_an_engine_s_events_all_arrive_over_stops_and_starts(ledger: LedgerProcess) -> None:
    """Each job is claimed, its stages told without waiting, and completed, while the ledger is stopped repeatedly."""
    counted = iter(range(10_000))

    def work(_: int) -> None:
        job = f"j{next(counted)}"
        with ledger.client(60.0) as client:
            submit(client, job)
            batch = claim(client, limit=1, wait_s=20.0)
            (mine,) = (each.job_id for each in batch.jobs)
            for stage in batch.stages:
                client.emit(batch.batch_id, [started(stage, [mine])])
                client.emit(batch.batch_id, [completed(stage, [mine])])
            client.emit(batch.batch_id, [done([mine])], urgent=True)
            assert client.drain(batch.batch_id) == []

    ended = threading.Event()
    with in_threads(work, 1, ended) as problems, ledger.client(60.0) as looking:
        for _ in range(ROUNDS):
            before = looking.counts().jobs.get("completed", 0)
            wait_until(
                lambda before=before: problems or looking.counts().jobs.get("completed", 0) > before + 3,
                60,
                "jobs to complete",
            )
            assert ledger.stop() == 0
            ledger.start()
    assert not problems
    with ledger.client() as client:
        assert set(client.counts().jobs) == {"completed"}
        assert client.query("SELECT count(*) FROM stage_run WHERE status <> 'completed'").rows == [[0]]


def test_questions_and_subscriptions_outlive_a_stop(ledger: LedgerProcess) -> None:
    def work(n: int) -> None:
        with ledger.client(60.0) as client:
            client.counts()
            head = client.events(0, wait_s=0.5).head
            client.events(head, wait_s=0.5)
            client.position(f"view{n}", head)
            client.breaker_probe("policy", "key", owner="e")
            client.rows(Named.JOB_TOTALS)

    def patient(n: int) -> None:
        client = LedgerClient(ledger.locations.socket("ledger"), 60.0, patience=30.0)
        assert client.counts().head >= 2
        client.close()

    ended = threading.Event()
    with in_threads(patient, 3, ended) as problems:
        for _ in range(ROUNDS):
            assert ledger.stop() == 0
            ledger.start()
    assert not problems
    ended = threading.Event()
    with in_threads(work, 3, ended) as problems:
        assert ledger.stop() == 0
        ended.set()
    assert all(isinstance(each, rpc.PeerUnreachable) for each in problems), problems


@pytest.mark.parametrize("error", [errors.LedgerClosing(), rpc.PeerClosing()])
def test_a_closing_ledger_is_away_and_nothing_else(error: rpc.PeerClosing) -> None:
    assert isinstance(error, rpc.PeerUnreachable)
    assert not counts_against_service(error)
    assert not worth_retrying(error)


class Fake:
    """A socket that answers as a ledger does, by what a test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        self.refusals: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        handlers: dict[str, rpc.Handler] = {"records": self._records, "counts": self._counts}
        asyncio.run_coroutine_threadsafe(rpc.serve(self.path, handlers), self._loop).result(10)

    def stop(self) -> None:
        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _records(self, args: dict[str, Any]) -> Any:
        answers = []
        for record in args["records"]:
            if self.refusals:
                answers.append({"error": self.refusals.pop()})
            else:
                self.records.append(record)
                answers.append({"result": {"seq": 1, "dropped": []}})
        return answers

    async def _counts(self, args: dict[str, Any]) -> Any:
        if self.refusals:
            self.refusals.pop()
            raise errors.LedgerClosing()
        return {"jobs": {}, "gates": {}, "head": 7, "queued_by_lane": {}}


@pytest.fixture
def fake(short_tmp: Path) -> Iterator[Fake]:
    made = Fake(short_tmp / "s")
    made.start()
    yield made
    made.stop()


def test_a_closing_inside_an_outcome_is_sent_again(fake: Fake) -> None:
    fake.refusals = [describe(errors.LedgerClosing())] * 3
    with LedgerClient(fake.path) as client:
        client.emit("b", [started("ingest", ["a"])])
        client.emit("b", [completed("ingest", ["a"])])
        assert client.drain("b") == []
    stages = [record["events"][0]["type"] for record in fake.records]
    assert stages[-1] == "stage.completed"
    assert "stage.started" in stages
    assert any(record.get("resend") for record in fake.records)


def test_a_question_is_asked_again_while_the_ledger_closes(fake: Fake) -> None:
    fake.refusals = [{}] * 3
    with LedgerClient(fake.path) as client:
        assert client.counts().head == 7


def test_events_that_cannot_be_sent_are_refused_where_they_are_told(fake: Fake) -> None:
    with LedgerClient(fake.path) as client:
        with pytest.raises(rpc.NotEncodable):
            client.emit("b", [started("\udcff", ["a"])])
        client.emit("b", [started("ingest", ["a"])])
        assert client.drain("b") == [], "the sending thread has survived it"
    assert len(fake.records) == 1
