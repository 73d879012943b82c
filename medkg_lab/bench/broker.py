"""What the embedded broker does under load: records kept per second, and the time from sending a record to having it.

The broker runs as its own process, producers and consumers are confluent-kafka's. Runs with and without fdatasync
alternate, so that a slow moment of the disk or of the machine meets both.
"""

import argparse
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.queues import Queue
from pathlib import Path

from medkg_lab import launch
from medkg_lab.bench.figures import Report, Target, at_least, at_most, latencies
from medkg_lab.broker.address import Address, scram_login
from medkg_lab.broker.client import Consumer, Producer
from medkg_lab.broker.topics import TopicSpec, make_topics
from medkg_lab.credentials import LAB_ACCOUNT
from medkg_lab.files import replace_private

RECORD_BYTES = 1024
ROUNDS = 3
TARGET_RATE, TARGET_RATIO = 30_000, 0.5
TARGET_P99_MS = 50.0
OFFERED_PER_SECOND = 1600
CONSUMERS = 3
PARTITIONS = 4
_GRACE_TIMEOUT_S = 30.0
_BYSTANDER_INTERVAL_S = 0.02
_WARM_UP_SHARE = 0.2
"""Share of the latency run that is not counted: the groups are still settling."""


@dataclass(frozen=True)
class Options:
    """How many records are sent as fast as they go, and how long others are sent at a fixed rate."""

    records: int = 60_000
    seconds: float = 10.0
    folder: Path | None = None


@contextlib.contextmanager
def running_broker(folder: Path, *options: str) -> Iterator[Address]:
    """A broker of its own on an empty folder, by its address; its clients log in, as those of a lab do."""
    password = secrets.token_urlsafe(32)
    secret = folder.absolute().with_name(f"{folder.name}.password")
    replace_private(secret, password)
    where = ("--data", str(folder.absolute()), "--port", "0", "--lab-password-file", str(secret))
    program = launch.python("medkg_lab.broker.embedded", *where, *options)
    login = tuple(scram_login(LAB_ACCOUNT, password).items())
    process = subprocess.Popen(
        program, env=launch.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None, "it was asked for"
    try:
        yield Address(f"127.0.0.1:{json.loads(process.stdout.readline())['port']}", login)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def produce_rate(bootstrap: Address, topic: str, records: int) -> float:
    """Records per second that are acknowledged with acks=all, from the first one sent to the last answer."""
    make_topics(bootstrap, [_topic(topic)])
    value = bytes(range(256)) * (RECORD_BYTES // 256)
    with Producer(bootstrap) as producer:
        began = time.perf_counter()
        for number in range(records):
            producer.send(topic, value, partition=number % PARTITIONS)
        producer.flush()
        return records / (time.perf_counter() - began)


def _topic(name: str) -> TopicSpec:
    return TopicSpec(name, partitions=PARTITIONS, retention_days=1, retention_mib=1024)


@dataclass(frozen=True, slots=True)
class Rates:
    """Records per second of each round, with and without fdatasync."""

    synced: list[int]
    unsynced: list[int]


def throughput(folder: Path, records: int) -> Rates:
    """Records per second with and without fdatasync in alternating rounds."""
    rates = Rates([], [])
    with (
        running_broker(folder / "synced") as synced,
        running_broker(folder / "unsynced", "--no-fsync") as unsynced,
    ):
        for number in range(ROUNDS):
            rates.synced.append(round(produce_rate(synced, f"t{number}", records)))
            rates.unsynced.append(round(produce_rate(unsynced, f"t{number}", records)))
    return rates


def _receive(bootstrap: Address, group: str, topic: str, count: int, found: "Queue[list[float]]") -> None:
    """A consumer process: how many seconds each record took, by the clock that all processes share."""
    took: list[float] = []
    ready = False
    with Consumer(bootstrap, group, [topic]) as consumer:
        until = time.monotonic() + _GRACE_TIMEOUT_S
        while len(took) < count and time.monotonic() < until:
            records = consumer.poll(0.1)
            now = time.monotonic_ns()
            took += [(now - int((record.value or b"0")[:20])) / 1e9 for record in records]
            until = time.monotonic() + _GRACE_TIMEOUT_S if records else until
            if not ready and len(consumer.assignment()) == PARTITIONS:
                ready = True
                found.put([])
    found.put(took)


def _offer(bootstrap: Address, topic: str, count: int) -> float:
    """Send `count` records evenly, and return how many went out per second."""
    padding = b"x" * (RECORD_BYTES - 20)
    with Producer(bootstrap) as producer:
        began = time.monotonic()
        for number in range(count):
            wait = began + number / OFFERED_PER_SECOND - time.monotonic()
            if wait > 0:
                producer.poll(wait)
            producer.send(topic, b"%020d" % time.monotonic_ns() + padding, partition=number % PARTITIONS)
        return count / (time.monotonic() - began)


@contextlib.contextmanager
def bystander(folder: Path) -> Iterator[list[float]]:
    """Seconds that a small append with its fdatasync takes in a file of its own, repeatedly while the context lasts:
    what the disk does at that time to anyone, and what no broker can beat."""
    took: list[float] = []
    ended = threading.Event()

    def run() -> None:
        with open(folder / "bystander", "wb", buffering=0) as file:
            while not ended.wait(_BYSTANDER_INTERVAL_S):
                began = time.perf_counter()
                file.write(b"x" * 8 * RECORD_BYTES)
                os.fdatasync(file.fileno())
                took.append(time.perf_counter() - began)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What was sent and received, how long that took, and what the disk took meanwhile."""

    offered_per_second: int
    sent: int
    received: Sequence[int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    n: int
    fdatasync_beside: Mapping[str, float]


def latency(folder: Path, seconds: float, *options: str) -> Waits:
    """The time from sending to having, over all consumers; each is a group of its own and gets every record."""
    context = launch.spawning()
    found: Queue[list[float]] = context.Queue()
    count = int(OFFERED_PER_SECOND * seconds)
    with running_broker(folder, *options) as bootstrap:
        make_topics(bootstrap, [_topic("latency")])
        arguments = [(bootstrap, f"g{number}", "latency", count, found) for number in range(CONSUMERS)]
        consumers = [context.Process(target=_receive, args=one, daemon=True) for one in arguments]
        for one in consumers:
            one.start()
        for _ in consumers:
            found.get(timeout=_GRACE_TIMEOUT_S)
        with bystander(folder.parent) as beside:
            offered = _offer(bootstrap, "latency", count)
        collected = [found.get(timeout=2 * _GRACE_TIMEOUT_S) for _ in consumers]
        for one in consumers:
            one.join()
    counted = [value for values in collected for value in values[int(count * _WARM_UP_SHARE) :]]
    return Waits(
        offered_per_second=round(offered),
        sent=count,
        received=[len(values) for values in collected],
        **asdict(latencies(counted)),
        fdatasync_beside=asdict(latencies(beside)) | {"max_ms": round(max(beside) * 1e3, 1)},
    )


def measure(options: Options) -> Report:
    """Both measurements on brokers of their own."""
    with tempfile.TemporaryDirectory(prefix="mk", dir=options.folder) as name:
        folder = Path(name)
        # Waiting is measured first: what the unsynced rounds leave unwritten would be written in the middle of it.
        waits = [latency(folder / f"synced-{number}", options.seconds) for number in range(ROUNDS)]
        unsynced = latency(folder / "unsynced", options.seconds, "--no-fsync")
        rates = throughput(folder, options.records)
    rate = statistics.median(rates.synced)
    ratio = round(rate / statistics.median(rates.unsynced), 3)
    detail = {
        "records": options.records,
        "records_per_second": {"fsync": rates.synced, "no fsync": rates.unsynced},
        "fsync_over_no_fsync": ratio,
        "latency": waits,
        "latency_no_fsync": unsynced,
    }
    return Report(bench="broker", targets=[_rate_target(rate, ratio), *_wait_targets(waits)], detail=detail)


def _wait_targets(waits: Sequence[Waits]) -> list[Target]:
    got = min(received / one.sent for one in waits for received in one.received)
    name = f"produce to consume p99, ms, at {OFFERED_PER_SECOND}/s with {CONSUMERS} consumers, median of {ROUNDS} runs"
    return [
        at_least("records that every consumer got, share", got, 1.0),
        at_most(name, statistics.median(one.p99_ms for one in waits), TARGET_P99_MS),
    ]


def _rate_target(rate: float, ratio: float) -> Target:
    """The rate, or on a disk that does not allow it half of what the same run reaches without syncing."""
    by_rate = at_least("records/s of 1 KB, acks=all with fsync", rate, TARGET_RATE)
    if by_rate.met:
        return by_rate
    return at_least("records/s with fsync, share of those without", ratio, TARGET_RATIO)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the measurement can be told."""
    parser.add_argument("--records", type=int, default=Options.records, help="records of each throughput run")
    parser.add_argument(
        "--seconds", type=float, default=Options.seconds, help="how long records are sent at a fixed rate"
    )
    parser.add_argument("--folder", type=Path, help="where the brokers keep their logs: on the disk in question")


def options_from(given: argparse.Namespace) -> Options:
    """The options of a parsed command line."""
    return Options(given.records, given.seconds, given.folder)
