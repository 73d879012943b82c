"""The ledger's process: from submission to the tables, long polls, restarts, and who may speak to it."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import logs, rpc
from medkg_lab.errors import LabError
from medkg_lab.lab.wait import wait_for
from medkg_lab.ledger import errors
from medkg_lab.ledger.answers import LeaseState
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.rpc import BadRequest, PeerUnreachable
from tests.integration.ledger.harness import LedgerProcess, claim, register, run, submit, to_gate
from tests.told import logged
from tests.unit.ledger.worlds import BEHIND, DOCUMENT, completed, done, ref, started
from tests.waiting import wait_until


def test_a_job_through_the_gate(client: LedgerClient) -> None:
    to_gate(client, "a", "b")
    assert [gate.job_id for gate in client.gates("waiting")] == ["a", "b"]
    with pytest.raises(errors.GateWithoutEvidence):
        client.gate_open("a", by="me")
    assert client.set_field("a", "pdf_ir_ready", True, "pdf", BEHIND).opened
    (release,) = client.releases(5.0)
    assert client.launch("run-1", by="sensor", release_id=release.release_id).jobs == ("a",)
    batch = claim(client)
    assert batch.batch_id == "run-1"
    client.record("run-1", [done(run(client, batch))])
    job = client.get("a")
    assert job is not None
    assert job.gate is not None
    assert (job.state, job.outputs["document"], job.gate.state) == ("completed", DOCUMENT, "released")
    assert [stage.status for stage in job.stages] == ["completed"] * 3
    assert client.get("nobody") is None
    assert client.counts().jobs == {"completed": 1, "waiting_gate": 1}
    assert client.gate_reject("b", by="me", why="no").state == "cancelled"


def test_the_tables_follow_by_themselves(ledger: LedgerProcess, client: LedgerClient) -> None:
    submit(client, "a")
    wait_until(lambda: client.health().projected == client.counts().head, what="the projection")
    batch = claim(client)
    client.record(batch.batch_id, [done(run(client, batch))])
    rows = client.query("SELECT stage, status, ref FROM stage_run ORDER BY place").rows
    assert rows == [[stage, "completed", ref(stage, "a")] for stage in ("ingest", "parse", "chunk")]
    assert client.query("SELECT count(*) FROM artifact").rows == [[3]]
    edges = client.query("SELECT input, sha256 FROM provenance").rows
    steps = [("ingest", "parse"), ("parse", "chunk")]
    assert sorted(edges) == sorted([ref(before, "a"), ref(after, "a")] for before, after in steps)
    assert client.query("SELECT content FROM document").rows == [["content:a"]]


def test_lists_are_fresh_narrowed_and_paged(client: LedgerClient) -> None:
    for n in range(5):
        submit(client, f"j{n}", source="file" if n % 2 else "pmc")
    assert [job.job_id for job in client.jobs()] == ["j4", "j3", "j2", "j1", "j0"]
    assert [job.job_id for job in client.jobs(limit=2, after="j3")] == ["j2", "j1"]
    assert [job.job_id for job in client.jobs(source="file", state="queued")] == ["j3", "j1"]
    assert client.jobs(doc="file:j2")[0].submission == {"source": "file", "key": "j2"}
    assert client.jobs(tenant="other") == []
    assert [job.job_id for job in client.jobs(correlation="c-j2")] == ["j2"]
    assert client.gates() == []


def waiting_call(call: Any, *args: Any) -> Future[Any]:
    """Make a call in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(call, *args)
    pool.shutdown(wait=False)
    return future


def test_claims_wait_for_work(ledger: LedgerProcess, client: LedgerClient) -> None:
    with ledger.client() as engine:
        batch = waiting_call(engine.claim, "w", ["compute"], 48, 10.0, 30.0)
        submit(client, "a")
        assert batch.result(30).jobs[0].job_id == "a"
    assert client.claim("w", ["compute"], 48, 10.0, 0.05) is None


def test_releases_and_events_wait_too(ledger: LedgerProcess, client: LedgerClient) -> None:
    to_gate(client, "a")
    head = client.counts().head
    with ledger.client() as sensor, ledger.client() as follower:
        releases = waiting_call(sensor.releases, 30.0)
        events = waiting_call(follower.events, head, 10, 30.0)
        client.set_field("a", "pdf_ir_ready", True, "pdf", BEHIND)
        assert releases.result(30)[0].jobs == ("a",)
        assert events.result(30).events[0].type == "field.set"
    assert logged(client, client.counts().head, wait_s=0.05) == []


def test_events_come_from_memory_and_from_the_file(ledger: LedgerProcess, client: LedgerClient) -> None:
    submit(client, "a", "b")
    client.cancel("a", "me", "no")
    fresh = client.events(0, limit=100)
    assert [event.seq for event in fresh.events] == list(range(1, fresh.head + 1))
    assert ledger.stop() == 0
    ledger.start()
    assert client.health().ring_start == fresh.head + 1
    assert client.events(0, limit=100) == fresh
    assert [event["type"] for event in logged(client, 0, limit=100, job_id="a")] == [
        "job.submitted",
        "job.cancelled",
    ]
    submit(client, "c")
    assert [event["jobs"] for event in logged(client, 0, limit=100, job_id="c")] == [["c"]]


def test_an_expired_lease_gives_the_jobs_back(client: LedgerClient) -> None:
    submit(client, "a", "b")
    batch = claim(client, lease_s=0.3)
    halves = [claim(client, wait_s=30.0) for _ in range(2)]
    assert [[job.job_id for job in half.jobs] for half in halves] == [["a"], ["b"]]
    assert client.heartbeat(batch.batch_id) == LeaseState(owned=False, cancelled=())
    with pytest.raises(errors.BatchNotOwned):
        client.record(batch.batch_id, [started("ingest", ["a", "b"])])


def test_a_heartbeat_keeps_the_lease_until_the_deadline(client: LedgerClient) -> None:
    submit(client, "a")
    batch = claim(client, lease_s=0.5)
    until = time.monotonic() + 1.5
    wait_until(lambda: not client.heartbeat(batch.batch_id, 60.0).owned or time.monotonic() > until, what="time")
    assert client.heartbeat(batch.batch_id, 0.05).owned
    assert claim(client, wait_s=30.0).jobs[0].execution == 2
    expired = [event for event in logged(client, 0) if event["type"] == "batch.expired"]
    assert [event["data"]["reason"] for event in expired] == ["deadline"]


def test_a_heartbeat_tells_of_cancelled_jobs(client: LedgerClient) -> None:
    submit(client, "a", "b")
    batch = claim(client)
    client.cancel("a", "me", "no")
    assert client.heartbeat(batch.batch_id, 5.0) == LeaseState(owned=True, cancelled=("a",))
    client.emit(batch.batch_id, [started("ingest", ["a", "b"])])
    assert client.drain() == ["a"]
    assert client.drain() == []


def test_what_is_emitted_stays_in_order_and_refusals_come_up(client: LedgerClient) -> None:
    submit(client, *(f"j{n}" for n in range(30)))
    batch = claim(client)
    jobs = [job.job_id for job in batch.jobs]
    for job_id in jobs:
        client.emit(batch.batch_id, [started("ingest", [job_id])])
        client.emit(batch.batch_id, [completed("ingest", [job_id])])
    client.record(batch.batch_id, [started("parse", jobs)])
    types = [event["type"] for event in logged(client, 0)]
    assert types[-61:] == ["stage.started", "stage.completed"] * 30 + ["stage.started"]
    client.emit(batch.batch_id, [started("nonsense", jobs)])
    with pytest.raises(errors.StageNotInBatch):
        client.drain(batch.batch_id)
    client.emit("lost", [started("ingest", jobs)])
    with pytest.raises(errors.BatchNotOwned):
        client.drain()
    client.emit("lost", [started("ingest", jobs)])
    client.emit(batch.batch_id, [completed("parse", jobs)])
    assert client.drain(batch.batch_id) == []


def test_lazy_commands_share_commits(client: LedgerClient) -> None:
    submit(client, *(f"j{n}" for n in range(100)))
    batch = claim(client, limit=100)
    before = client.health().figures.commits
    for job in batch.jobs:
        client.emit(batch.batch_id, [started("ingest", [job.job_id])])
    client.drain()
    assert client.health().figures.commits - before < 50


def test_what_may_wait_goes_with_what_may_not(client: LedgerClient) -> None:
    submit(client, "a")
    batch = claim(client).batch_id
    assert client.drain() == [], "with nothing pending there is nothing to wait for"
    head, commits = client.counts().head, client.health().figures.commits
    client.emit(batch, [started("ingest", ["a"])], within_s=3600.0)
    client.emit(batch, [completed("ingest", ["a"])], within_s=3600.0)
    assert client.counts().head == head
    client.emit(batch, [started("parse", ["a"])], urgent=True)
    wait_until(lambda: client.counts().head == head + 3, what="all three")
    assert client.health().figures.commits == commits + 1
    client.emit(batch, [completed("parse", ["a"])], within_s=0.01)
    wait_until(lambda: client.counts().head == head + 4, what="what waited long enough")
    client.emit(batch, [started("chunk", ["a"])], within_s=3600.0)
    assert client.drain(batch) == []
    assert client.counts().head == head + 5


def test_readers_tell_their_positions(ledger: LedgerProcess, client: LedgerClient) -> None:
    client.position("outbox", 2)
    client.flush()
    assert client.positions() == {"outbox": 2, "tables": client.counts().head}
    assert ledger.stop() == 0
    ledger.start()
    assert client.positions()["outbox"] == 2


def test_a_client_outlives_a_restart(ledger: LedgerProcess, client: LedgerClient) -> None:
    submit(client, "a")
    ledger.kill()
    answer = waiting_call(client.cancel, "a", "me", "no")
    ledger.start()
    assert answer.result(60).state == "cancelled"
    job = client.get("a")
    assert job is not None
    assert job.state == "cancelled"


def test_the_process_logs_json_lines_with_the_name_of_each_event(
    ledger: LedgerProcess, client: LedgerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(client, "a")
    ledger.stop()
    for path in ledger.folder.glob("views.duckdb*"):
        path.unlink()
    before = len(ledger.errors)
    monkeypatch.setenv(logs.VARIABLE, "json")
    ledger.start()
    lines = [json.loads(line) for line in ledger.errors[before:].splitlines()]
    (reduced,) = [line for line in lines if line.get("event") == "events.reduced"]
    assert (reduced["logger"], reduced["level"], reduced["process"]) == ("medkg_lab.ledger.core", "info", "ledgerd")
    assert all("event" in line for line in lines if line["logger"].startswith("medkg_lab."))


def test_who_waits_for_a_job_outlives_a_restart(ledger: LedgerProcess, client: LedgerClient) -> None:
    submit(client, "a")
    seen: list[dict[str, str]] = []
    answer = waiting_call(wait_for, ledger.client(), ["a"], 60.0, lambda progress: seen.append(dict(progress.states)))
    wait_until(lambda: bool(seen), what="the first look")
    ledger.kill()
    ledger.start()
    client.cancel("a", "me", "no")
    assert answer.result(60).states == {"a": "cancelled"}


def test_nobody_there(short_tmp: Any) -> None:
    client = LedgerProcess(short_tmp / "home").client(deadline=0.3)
    with pytest.raises(PeerUnreachable):
        client.counts()
    with pytest.raises(PeerUnreachable):
        client.cancel("a", "me", "no")
    client.emit("b", [started("ingest", ["a"])])
    with pytest.raises(errors.EmissionLost):
        client.drain()
    client.close()


def test_only_the_owner_may_speak_to_it(ledger: LedgerProcess) -> None:
    path = ledger.locations.socket("ledger")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(ledger.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in ledger.folder.iterdir()} == {0o600}


def as_nobody(path: Path) -> str:
    """What a process of another user gets from a socket: `refused`, `hung up` or `answered`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os.write(writing, knock(path).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return answer.read()


def knock(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(str(path))
            peer.sendall(b'{"id": 1, "op": "health"}\n')
            return "answered" if peer.recv(100) else "hung up"
        except PermissionError:
            return "refused"
        except ConnectionError:
            return "hung up"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become someone else")
@pytest.mark.parametrize("opened", [False, True])
def test_another_user_is_turned_away(short_tmp: Path, monkeypatch: pytest.MonkeyPatch, opened: bool) -> None:
    """By the folder's mode, and where that is opened, by the ledger itself, which asks the kernel who is there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp))
    with LedgerProcess(short_tmp / "home") as ledger:
        ledger.start()
        path = ledger.locations.socket("ledger")
        assert path.is_relative_to(short_tmp)
        if opened:
            path.chmod(0o777)
            for folder in (path.parent, path.parent.parent, short_tmp):
                folder.chmod(0o755)
        assert knock(path) == "answered"
        assert as_nobody(path) == ("hung up" if opened else "refused")
        with ledger.client() as client:
            assert client.health().pid > 0


def test_a_client_that_does_not_read_is_made_to_wait(ledger: LedgerProcess, client: LedgerClient) -> None:
    """It cannot pile its requests up in the ledger: they stay in its own socket, and others are served."""
    with socket.socket(socket.AF_UNIX) as greedy:
        greedy.connect(str(ledger.locations.socket("ledger")))
        greedy.settimeout(1.0)
        sent = 0
        line = b'{"id": 1, "op": "events", "args": {"after": 0, "limit": 1000}}\n' * 100
        with pytest.raises(TimeoutError):
            while sent < 1_000_000:
                greedy.sendall(line)
                sent += 100
        assert client.counts().head == 2


def test_a_bad_request_is_answered(ledger: LedgerProcess, client: LedgerClient) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "claim": {"id": "x"},
        "submit": {"jobs": []},
        "events": {"after": -1, "limit": 1},
        "jobs": {"limit": 0},
        "records": {"records": "all"},
        "heartbeat": {},
        "get": {"job_id": 7},
        "query": {"sql": "SELECT 1", "params": {"a": 1}, "limit": 1, "timeout_s": 1},
    }
    with rpc.Client(ledger.locations.socket("ledger")) as raw:
        with pytest.raises(BadRequest):
            raw.call("sing")
        for op, args in wrong.items():
            with pytest.raises(errors.MalformedCommand):
                raw.call(op, **args)
    assert client.counts().jobs == {}


def test_many_clients_at_once(ledger: LedgerProcess, client: LedgerClient) -> None:
    """Each job is claimed and completed exactly once, whoever is there first."""
    register(client)
    submit(client, *(f"j{n}" for n in range(60)))
    finished: list[str] = []
    failures: list[LabError] = []

    def engine() -> None:
        try:
            with ledger.client() as mine:
                while batch := mine.claim("w", ["compute"], 4, 30.0):
                    jobs = run(mine, batch)
                    mine.record(batch.batch_id, [done(jobs)])
                    finished.extend(jobs)
        except LabError as error:
            failures.append(error)

    engines = [threading.Thread(target=engine) for _ in range(4)]
    for each in engines:
        each.start()
    for each in engines:
        each.join(60)
    assert not failures
    assert sorted(finished) == sorted(f"j{n}" for n in range(60))
    assert client.counts().jobs == {"completed": 60}


def test_a_worker_that_imports_the_client_stays_light() -> None:
    code = (
        "import sys, medkg_lab.ledger.client; print([m for m in ('duckdb', 'numpy', 'pydantic') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert output.strip() == "[]"
