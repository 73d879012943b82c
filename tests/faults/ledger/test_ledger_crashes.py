"""The ledger is killed while it writes: nothing that was acknowledged is lost, nothing happens twice."""

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.ledger.answers import ClaimedBatch, LeaseState
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import DiskFull, GateNotWaiting
from medkg_lab.ledger.opening import open_core
from medkg_lab.ledger.reducer import fold
from medkg_lab.ledger.state import State
from tests.disks import fill_up
from tests.integration.ledger.harness import LedgerProcess, register, submit, to_gate
from tests.told import logged
from tests.unit.ledger.worlds import BEHIND, canonical, completed, done, started
from tests.waiting import wait_until

WRITERS = 4
JOBS_AT_ONCE = 3


class Writer(threading.Thread):
    """An engine that submits and runs jobs of its own, and notes what was acknowledged."""

    def __init__(self, client: LedgerClient, name: str, stopping: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.client = client
        self.stopping = stopping
        self.acknowledged: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Work until stopped."""
        try:
            round_ = 0
            while not self.stopping.is_set():
                self.work(round_)
                round_ += 1
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.failure = error

    def work(self, round_: int) -> None:
        """Submit some jobs and run them by hand, each command acknowledged."""
        jobs = [f"{self.name}-{round_}-{n}" for n in range(JOBS_AT_ONCE)]
        prefix = f"{self.name}-{round_}"
        submit(self.client, *jobs, priority=round_ % 100)
        self.acknowledged.extend(jobs)
        batch = self.client.claim("w", ["compute"], JOBS_AT_ONCE, 60.0, id=f"{prefix}-claim")
        if batch is None:
            return
        mine = [job.job_id for job in batch.jobs]
        for stage in batch.stages:
            events = [started(stage, mine), completed(stage, mine)]
            self.record(batch, events, f"{prefix}-{stage}")
        self.record(batch, [done(mine)], f"{prefix}-done")

    def record(self, batch: ClaimedBatch, events: list[dict[str, Any]], command: str) -> None:
        """Record and note."""
        self.client.record(batch.batch_id, events, id=command)
        self.acknowledged.append(command)


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        with made.client() as client:
            register(client)
        yield made


def progress(writers: list[Writer], seconds: float) -> None:
    """Wait so long, and until more was acknowledged."""
    until, before = time.monotonic() + seconds, sum(len(writer.acknowledged) for writer in writers)

    def more() -> bool:
        return time.monotonic() > until and sum(len(writer.acknowledged) for writer in writers) > before + WRITERS

    wait_until(more, timeout=60, what="progress")


def kill_repeatedly(process: LedgerProcess, kills: int, rest: float) -> list[Writer]:
    """Let writers work, kill the ledger repeatedly within `rest` seconds or more, and return the writers."""
    stopping = threading.Event()
    writers = [Writer(process.client(60.0), f"w{n}", stopping) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for _ in range(kills):
        progress(writers, rest / kills)
        process.kill()
        process.start()
    stopping.set()
    for writer in writers:
        writer.join(90)
        writer.client.close()
    assert [writer.failure for writer in writers] == [None] * WRITERS
    return writers


def check_nothing_is_lost(process: LedgerProcess, writers: list[Writer]) -> None:
    """Every acknowledged job and command is in the log once, and memory and tables are its fold."""
    assert process.stop() == 0
    core = open_core(process.folder)
    events = [event for part in core.store.reader().all_after(0) for event in part]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert max(Counter(event.id for event in events).values()) == 1
    known = {event.id for event in events} | {job_id for event in events for job_id in event.jobs}
    acknowledged = {each for writer in writers for each in writer.acknowledged}
    assert acknowledged
    assert acknowledged <= known
    completions = Counter(job for event in events if event.type == "job.completed" for job in event.jobs)
    assert completions
    assert max(completions.values()) == 1
    folded = State()
    for event in events:
        fold(folded, event)
    assert canonical(folded) == canonical(core.state)
    assert canonical(core.views.reader().load()) == canonical(core.state)
    core.close()


def test_killed_while_four_engines_write(process: LedgerProcess) -> None:
    check_nothing_is_lost(process, kill_repeatedly(process, kills=4, rest=2.0))


@pytest.mark.full
@pytest.mark.timeout(600)
def test_killed_many_times_while_four_engines_write(process: LedgerProcess) -> None:
    check_nothing_is_lost(process, kill_repeatedly(process, kills=52, rest=60.0))


def test_a_commit_that_fails_is_never_answered(process: LedgerProcess) -> None:
    """The disk is full at the third commit: the ledger ends, its client is answered by the next one."""
    with process.client(60.0) as client:
        assert process.stop() == 0
        process.start(_FULL_DISK)
        submit(client, "a")
        submit(client, "b")
        answer: list[Any] = []
        asking = threading.Thread(target=lambda: answer.append(client.cancel("a", "me", "no")))
        asking.start()
        assert process.wait() == 70
        assert answer == []
        process.start()
        asking.join(60)
        assert [(each.job_id, each.state) for each in answer] == [("a", "cancelled")]
        events = logged(client, 0)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert [event["type"] for event in events[-3:]] == ["job.submitted", "job.submitted", "job.cancelled"]


def test_a_gate_is_won_although_the_ledger_dies_before_the_answer(process: LedgerProcess) -> None:
    """It is killed between the commit that opens the gate and the answer: who asks again is told that it won, others not."""
    with process.client(60.0) as client:
        to_gate(client, "a")
        client.set_field("a", "pdf_ir_ready", False, "pdf", replace(BEHIND, missing_pages=(1,)))
        assert process.stop() == 0
        process.start(_DIES_AFTER_OPENING)
        answer: list[Any] = []
        asking = threading.Thread(target=lambda: answer.append(client.gate_open("a", "me", partial=True)))
        asking.start()
        assert process.wait() == -signal.SIGKILL
        assert answer == []
        process.start()
        asking.join(60)
        assert [each.version > 0 for each in answer] == [True]
        with pytest.raises(GateNotWaiting):
            client.gate_open("a", "another", partial=True)
        opened = [event for event in logged(client, 0) if event["type"] == "gate.opened"]
        assert len(opened) == 1


_DIES_AFTER_OPENING = """
import os, signal
from medkg_lab import process
from medkg_lab.ledger import __main__, store
append = store.EventStore.append
def dying(self, rows):
    append(self, rows)
    if any(row[3] == "gate.opened" for row in rows):
        os.kill(os.getpid(), signal.SIGKILL)
store.EventStore.append = dying
process.run("ledgerd", __main__.main)
"""


def test_without_room_it_refuses_and_goes_on_when_there_is_some(process: LedgerProcess, short_tmp: Path) -> None:
    full = short_tmp / "full"
    assert process.stop() == 0
    process.start(_NO_ROOM.replace("FULL", str(full)))
    refuses_and_recovers(process, full.touch, full.unlink)


def refuses_and_recovers(process: LedgerProcess, fill: Callable[[], object], empty: Callable[[], object]) -> None:
    """What a ledger does on a disk that fills up and gets room again."""
    with process.client() as client:
        submit(client, "a")
        head = client.counts().head
        fill()
        for _ in range(3):
            with pytest.raises(DiskFull, match="Make room"):
                submit(client, "b")
        assert client.counts().head == head
        found = client.get("a")
        assert found is not None
        assert client.events(0).head == head
        empty()
        submit(client, "b")
        assert client.query("SELECT job_id FROM job ORDER BY 1").rows == [["a"], ["b"]]
        assert process.stop() == 0
    process.start()
    with process.client() as client:
        assert client.counts().jobs == {"queued": 2}


_NO_ROOM = """
from pathlib import Path
from medkg_lab import process
from medkg_lab.ledger import __main__, store
store.EventStore.has_room = lambda self: not Path("FULL").exists()
process.run("ledgerd", __main__.main)
"""


def test_a_file_system_that_is_full(short_tmp: Path) -> None:
    """A real one, small enough to be filled."""
    home = short_tmp / "home"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=700", "tmpfs", str(home)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with LedgerProcess(home) as process:
            process.start()
            with process.client() as client:
                register(client)
            ballast = home / "ballast"
            refuses_and_recovers(process, lambda: fill_up(ballast), ballast.unlink)
            assert process.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


_FULL_DISK = """
import duckdb
from medkg_lab import process
from tests.told import logged
from medkg_lab.ledger import __main__, store
append, commits = store.EventStore.append, []
def failing(self, rows):
    commits.append(rows)
    if len(commits) == 3:
        raise duckdb.IOException("No space left on device")
    append(self, rows)
store.EventStore.append = failing
process.run("ledgerd", __main__.main)
"""


def test_views_that_are_gone_are_made_again(process: LedgerProcess) -> None:
    with process.client() as client:
        submit(client, "a", "b")
        client.cancel("a", "me", "no")
        process.kill()
        for path in process.folder.glob("views.duckdb*"):
            path.unlink()
        process.start()
        assert client.query("SELECT job_id, state FROM job ORDER BY 1").rows == [["a", "cancelled"], ["b", "queued"]]


def test_a_batch_survives_its_ledger(process: LedgerProcess) -> None:
    with process.client() as client:
        submit(client, "a")
        batch = client.claim("w", ["compute"], 1, 30.0)
        assert batch is not None
        process.kill()
        process.start()
        assert client.heartbeat(batch.batch_id, 60.0) == LeaseState(owned=True, cancelled=())
        client.record(batch.batch_id, [started("ingest", ["a"]), completed("ingest", ["a"])])


def test_a_batch_whose_engine_died_with_the_ledger_comes_back(process: LedgerProcess) -> None:
    with process.client() as client:
        submit(client, "a")
        assert client.claim("w", ["compute"], 1, 0.5) is not None
        process.kill()
        process.start()
        again = client.claim("w", ["compute"], 1, 30.0, 30.0)
        assert again is not None
        assert again.jobs[0].execution == 2
