"""What the job ledger does under load: transitions that four processes offer at a fixed rate, while gates are opened and tables
are read beside them; and how much it takes at most, against inserting row by row.

A transition is one event of one job, on disk before it is acknowledged. Its time runs from the moment it was due, so what waits
behind a slow answer counts with its wait.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from medkg_lab import launch, rpc
from medkg_lab.bench.figures import Latencies, Report, at_least, at_most, latencies
from medkg_lab.ledger.answers import WriterFigures
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import locate
from medkg_lab.models.event_codec import draft_to_json
from medkg_lab.models.events import (
    PDF_IR_READY,
    CompletedJob,
    Condition,
    Event,
    EventData,
    Evidence,
    GateWaiting,
    JobCompleted,
    StageCompleted,
    StageOutput,
    StageStarted,
)
from medkg_lab.models.job import JobSpec
from medkg_lab.topology import versions
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology

PRODUCERS = 4
OFFERED_PER_SECOND = 1600
AT_ONCE = 256
LEASE_S = 600.0
BATCH = 48
GATES_PER_SECOND = 10.0
READ_INTERVAL_S = 0.25
SINGLE_ROWS_S = 3.0
ACK_P95_MS, GATE_P99_MS, LEAST_RATIO = 120.0, 120.0, 8.0
_READ = "SELECT state, count(*), max(updated_at) FROM job GROUP BY state"
_STAGES = {"ingest": "payload", "parse": "document", "chunk": "chunks"}
_PLAIN = """
version: "1.0"
name: bench-plain
stages:
  - {name: ingest, type: IngestStage}
  - {name: parse, type: ParseStage, depends_on: [ingest]}
  - {name: chunk, type: ChunkStage, depends_on: [parse]}
"""
_GATED = """
version: "1.0"
name: bench-gated
stages:
  - {name: ingest, type: IngestStage}
  - name: gate
    type: Gate
    depends_on: [ingest]
    condition: {ledger_field: pdf_ir_ready, equals: true}
    resume_stage: chunk
  - {name: chunk, type: ChunkStage, depends_on: [gate]}
"""
PER_JOB = 2 * len(_STAGES) + 1
"""Transitions that a job goes through."""

Times = list[float]


@dataclass(frozen=True)
class Options:
    """How long transitions are offered, and how many per second."""

    seconds: float = 30.0
    rate: int = OFFERED_PER_SECOND


def measure(options: Options) -> Report:
    """Run the load on a ledger of its own in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        with running_ledger(Path(folder)) as socket:
            offered = _offered(socket, options)
            most = _flat_out(socket)
        single = single_rows(Path(folder))
    ratio = most / single
    detail = {**asdict(offered), "most_per_second": round(most), "row_by_row_per_second": round(single)}
    targets = [
        at_least("transitions acknowledged, share", offered.acknowledged / offered.offered, 1.0),
        at_most("acknowledgement p95, ms", offered.ack.p95_ms, ACK_P95_MS),
        at_most("gate open p99, ms", offered.gate.p99_ms, GATE_P99_MS),
        at_least("transitions/s at most, ratio to inserts row by row", round(ratio, 1), LEAST_RATIO),
    ]
    return Report(bench="ledger", targets=targets, detail=detail)


@contextmanager
def running_ledger(folder: Path) -> Iterator[Path]:
    """A ledger's process on a home of its own; its socket."""
    home = folder / "home"
    with (folder / "ledgerd.log").open("wb") as log:
        command = launch.python("medkg_lab.ledger", "--home", str(home))
        process = subprocess.Popen(
            command, cwd=folder, env=launch.environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None, "it was asked for"
    try:
        json.loads(process.stdout.readline())
        yield locate(home).socket("ledger")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    offered: int
    acknowledged: int
    events_written: int
    jobs_completed: int
    per_second: int
    ack: Latencies
    gate: Latencies
    sql: Latencies
    ledger: WriterFigures


def _offered(socket: Path, options: Options) -> _Offered:
    """The load at a fixed rate, and what stands in the ledger after it."""
    count = round(options.rate * options.seconds / PRODUCERS / PER_JOB)
    gates = [f"gate-{n}" for n in range(round(options.seconds * GATES_PER_SECOND))]
    with LedgerClient(socket) as client:
        _to_gates(client, gates)
        work = [_claimed(client, f"p{n}", count) for n in range(PRODUCERS)]
        before = client.counts().head
        found = _together(
            [(_produce, (str(socket), events, options.rate / PRODUCERS)) for events in work]
            + [(_open_gates, (str(socket), gates)), (_read_tables, (str(socket), options.seconds))]
        )
        written = client.counts().head - before
        client.flush()
        rows = client.query("SELECT count(*) FROM job WHERE state = 'completed'").rows
        health = client.health().figures
    acks = [taken for each in found[:PRODUCERS] for taken in each[1:]]
    longest = max(each[0] for each in found[:PRODUCERS])
    return _Offered(
        offered=sum(map(len, work)),
        acknowledged=len(acks),
        events_written=written - len(gates),
        jobs_completed=rows[0][0],
        per_second=round(len(acks) / longest),
        ack=latencies(acks),
        gate=latencies(found[PRODUCERS]),
        sql=latencies(found[PRODUCERS + 1]),
        ledger=health,
    )


def _flat_out(socket: Path, jobs: int = 1000) -> float:
    """Transitions per second when all producers send as fast as they are answered."""
    with LedgerClient(socket) as client:
        work = [_claimed(client, f"f{n}", jobs) for n in range(PRODUCERS)]
    found = _together([(_produce, (str(socket), events, None)) for events in work])
    return sum(map(len, work)) / max(each[0] for each in found)


def single_rows(folder: Path) -> float:
    """Events per second that are inserted row by row into a table like the ledger's, each on disk before the next."""
    from medkg_lab.ledger.store import EventStore
    from medkg_lab.models.event_codec import encode, to_row

    store = EventStore(folder / "single.duckdb")
    until, seq = time.monotonic() + SINGLE_ROWS_S, 0
    while time.monotonic() < until:
        seq += 1
        store.append([to_row(encode(Event(seq, f"id-{seq}", 0.0, _completed("ingest", f"j{seq}"))))])
    store.close()
    return seq / SINGLE_ROWS_S


def _together(work: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[Times]:
    """Run functions in processes of their own, let them go at once, and return what each found, in order."""
    context = launch.spawning()
    barrier, answers = context.Barrier(len(work)), context.Queue()
    processes = [
        context.Process(target=_run, args=(function, given, barrier, place, answers))
        for place, (function, given) in enumerate(work)
    ]
    for process in processes:
        process.start()
    found: dict[int, Times] = dict(answers.get() for _ in processes)
    for process in processes:
        process.join()
    return [found[place] for place in range(len(work))]


def _run(function: Any, given: tuple[Any, ...], barrier: Any, place: int, answers: "Queue[Any]") -> None:
    barrier.wait()
    answers.put((place, function(*given)))


def _produce(socket: str, events: list[tuple[str, EventData]], rate: float | None) -> Times:
    """Offer events, due one after another at `rate` per second; the seconds in all, and until each was acknowledged."""
    taken: Times = []
    with rpc.Client(Path(socket)) as client:
        began = time.monotonic()
        due = [began + n / rate if rate else began for n in range(len(events))]
        while len(taken) < len(events):
            first, now = len(taken), time.monotonic()
            ready = [n for n in range(first, min(first + AT_ONCE, len(events))) if due[n] <= now]
            if not ready:
                time.sleep(due[first] - now)
                continue
            records = [
                {"id": f"{events[n][0]}-{n}", "batch_id": events[n][0], "events": [draft_to_json(events[n][1])]}
                for n in ready
            ]
            answers = client.call("records", records=records, lazy=True)
            assert all("result" in answer for answer in answers), answers
            done = time.monotonic()
            taken += [done - (due[n] if rate else now) for n in ready]
        return [time.monotonic() - began, *taken]


def _open_gates(socket: str, jobs: list[str]) -> Times:
    """Open one gate after another at a steady pace; the seconds that each took."""
    taken: Times = []
    with LedgerClient(Path(socket)) as client:
        began = time.monotonic()
        for number, job_id in enumerate(jobs):
            time.sleep(max(0.0, began + number / GATES_PER_SECOND - time.monotonic()))
            asked = time.monotonic()
            client.gate_open(job_id, by="bench", partial=True)
            taken.append(time.monotonic() - asked)
    return taken


def _read_tables(socket: str, seconds: float) -> Times:
    """Ask the tables repeatedly; the seconds that each answer took."""
    taken: Times = []
    with LedgerClient(Path(socket)) as client:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            asked = time.monotonic()
            client.query(_READ)
            taken.append(time.monotonic() - asked)
            time.sleep(READ_INTERVAL_S)
    return taken


def _claimed(client: LedgerClient, prefix: str, count: int) -> list[tuple[str, EventData]]:
    """Submit jobs, claim them, and name all that will happen to them, as (batch id, event) in order."""
    topology = _registered(client, _PLAIN)
    names = [f"{prefix}-{n}" for n in range(count)]
    for first in range(0, count, 1000):
        client.submit([_spec(name, topology) for name in names[first : first + 1000]])
    events: list[tuple[str, EventData]] = []
    while len(events) < count * PER_JOB:
        batch = client.claim("bench", ["compute"], BATCH, LEASE_S)
        assert batch is not None, "the jobs were just submitted"
        for job in batch.jobs:
            told = [make(stage, job.job_id) for stage in _STAGES for make in (_started, _completed)]
            done = JobCompleted(False, (CompletedJob(job.job_id, None),))
            events += [(batch.batch_id, event) for event in (*told, done)]
    return events


def _to_gates(client: LedgerClient, names: list[str]) -> None:
    """Bring jobs to their gates, with a document that lacks a page behind each."""
    topology = _registered(client, _GATED)
    client.submit([_spec(name, topology) for name in names])
    evidence = Evidence(document="d" * 64, raw="e" * 64, pages=2, missing_pages=(2,))
    while batch := client.claim("bench", ["compute"], BATCH, LEASE_S):
        jobs = [job.job_id for job in batch.jobs]
        ran = [make("ingest", job) for job in jobs for make in (_started, _completed)]
        waiting = GateWaiting("gate", tuple(jobs), Condition(PDF_IR_READY, True), 1, "compute", ("chunk",))
        client.record(batch.batch_id, [*ran, waiting])
        for job in jobs:
            client.set_field(job, PDF_IR_READY, False, "bench", evidence)


def _registered(client: LedgerClient, text: str) -> Topology:
    topology = load_topology(text)
    client.register("topology", topology.name, versions.version_of(topology), versions.to_json(topology))
    return topology


def _spec(name: str, topology: Topology) -> JobSpec:
    return JobSpec(
        job_id=name,
        tenant_id="default",
        correlation_id=name,
        source="file",
        doc_key=name,
        doc_id=f"file:{name}",
        pipeline=topology.name,
        pipeline_version=versions.version_of(topology),
        offline=True,
        again=False,
        priority=0,
        segment=0,
        lane="compute",
        half=0,
        content=None,
        submission=b"{}",
        submitted_at=time.time(),
    )


def _started(stage: str, job_id: str) -> StageStarted:
    return StageStarted(stage, (job_id,), time.time())


def _completed(stage: str, job_id: str) -> StageCompleted:
    output = StageOutput(job_id, 1.5, 1, f"{stage}:{job_id}")
    return StageCompleted(stage, time.time(), time.time(), (output,), _STAGES[stage], f"bench.{stage}", "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the measurement's options."""
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="how long the load lasts (default 30)")
    parser.add_argument("--rate", type=int, default=Options.rate, help="transitions offered per second (default 1600)")


def options_from(given: argparse.Namespace) -> Options:
    """The options that were given."""
    return Options(given.seconds, given.rate)
