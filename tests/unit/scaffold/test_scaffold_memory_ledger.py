"""`medkg_lab.testing.MemoryLedger`: a ledger's whole client without a process, as a plug-in's own tests use it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from medkg_lab.bridge.sinks import SinkFeed
from medkg_lab.ledger.errors import BatchNotOwned, GateNotWaiting
from medkg_lab.ledger.named_queries import Named
from medkg_lab.models.events import PDF_IR_READY
from medkg_lab.testing import MemoryLedger
from medkg_lab.testing.ledger import NotInMemory
from tests.told import specs
from tests.unit.ledger.worlds import BEHIND, GATED, PLAIN, completed, done, spec, started, waiting


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Iterator[MemoryLedger]:
    with MemoryLedger(now=clock, clock=clock) as made:
        made.add_pipeline(PLAIN)
        made.add_pipeline(GATED)
        yield made


def submit(ledger: MemoryLedger, *names: str, pipeline: str = "plain") -> None:
    ledger.submit(specs([spec(name, pipeline) for name in names]))


def run(ledger: MemoryLedger) -> str:
    """Take a batch through its stages."""
    batch = ledger.claim("w", ["network", "compute"], 48, 10.0)
    assert batch is not None
    jobs = [job.job_id for job in batch.jobs]
    for stage in batch.stages:
        ledger.emit(batch.batch_id, [started(stage, jobs), completed(stage, jobs)])
    assert ledger.drain() == []
    return batch.batch_id


def test_jobs_run_through_it_and_are_found_by_every_question(ledger: MemoryLedger) -> None:
    submit(ledger, "a", "b")
    ledger.record(run(ledger), [done(["a", "b"])])
    assert ledger.counts().jobs == {"completed": 2}
    assert [job.job_id for job in ledger.jobs(state="completed")] == ["b", "a"]
    assert [run.stage for run in ledger.get("a").stages] == ["ingest", "parse", "chunk"]
    page = ledger.events(after=0, job_id="b", wait_s=5.0)
    assert page.events[-1].type.value == "job.completed"
    assert ledger.rows(Named.ARTIFACTS, ["b"]).rows == [[kind, 1, 1] for kind in ("payload", "document", "chunks")]
    assert ledger.claim("w", ["compute"], 1, 10.0, wait_s=5.0) is None


def test_gates_wait_open_and_release(ledger: MemoryLedger) -> None:
    submit(ledger, "a", pipeline="gated")
    ledger.record(run(ledger), [waiting(["a"])])
    assert [gate.job_id for gate in ledger.gates("waiting")] == ["a"]
    ledger.set_field("a", PDF_IR_READY, True, "pdf", BEHIND)
    assert [release.pipeline for release in ledger.releases(wait_s=1.0)] == ["gated"]
    with pytest.raises(GateNotWaiting):
        ledger.gate_open("a", "anna")


def test_a_lease_runs_out_when_the_test_says_so(ledger: MemoryLedger, clock: Clock) -> None:
    submit(ledger, "a")
    lost = ledger.claim("w", ["compute"], 1, 10.0)
    assert lost is not None
    assert ledger.heartbeat(lost.batch_id).owned
    clock.at += 11
    assert not ledger.heartbeat(lost.batch_id).owned
    ledger.emit(lost.batch_id, [started("ingest", ["a"])])
    with pytest.raises(BatchNotOwned):
        ledger.drain(lost.batch_id)
    assert ledger.claim("w2", ["compute"], 1, 10.0) is not None


def test_a_view_of_ones_own_follows_it(ledger: MemoryLedger) -> None:
    seen: list[str] = []

    class Sink:
        def send(self, events: Sequence[Mapping[str, Any]]) -> None:
            seen.extend(one["type"].rpartition(".")[2] for one in events)

    feed = SinkFeed("mine", Sink(), ledger, lambda _: True)
    feed.step(0)
    submit(ledger, "a")
    feed.step(0)
    assert seen == ["submitted"]
    assert ledger.bookmarks()["sink:mine"] == {"seq": ledger.counts().head}


@pytest.mark.asyncio
async def test_it_serves_code_that_runs_in_an_event_loop(ledger: MemoryLedger) -> None:
    await asyncio.sleep(0)
    submit(ledger, "a")
    assert ledger.counts().jobs == {"queued": 1}


def test_what_is_about_files_is_told_apart(ledger: MemoryLedger) -> None:
    for ask in (ledger.snapshot, ledger.prune, lambda: ledger.query("SELECT 1")):
        with pytest.raises(NotInMemory):
            ask()
