"""What the embedded broker does under load: records kept per second, and the time from sending a record to having it.

The broker runs as its own process, producers and consumers are confluent-kafka's. Runs with and without fdatasync
alternate, so that a slow moment of the disk or of the machine meets both.
"""

import contextlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from medkg_lab.broker.client import Consumer, Producer
from medkg_lab.broker.topics import TopicSpec, make_topics

RECORD_BYTES = 1024
ROUNDS = 3
TARGET_RATE, TARGET_RATIO = 30_000, 0.5
TARGET_P99_MS = 50.0
OFFERED_PER_SECOND = 1600
CONSUMERS = 3
PARTITIONS = 4
_GRACE_SECONDS = 30.0
_WARM_UP = 0.2
"""Share of the latency run that is not counted: the groups are still settling."""


@contextlib.contextmanager
def running_broker(folder: Path, *options: str) -> Iterator[str]:
    """A broker of its own on an empty folder, by its address."""
    program = [sys.executable, "-m", "medkg_lab.broker.embedded", "--data", str(folder), "--port", "0", *options]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None, "it was asked for"
    try:
        yield f"127.0.0.1:{json.loads(process.stdout.readline())['port']}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def produce_rate(bootstrap: str, topic: str, records: int) -> float:
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


def throughput(folder: Path, records: int) -> dict[str, Any]:
    """Records per second with and without fdatasync in alternating rounds."""
    rates: dict[str, list[float]] = {"fsync": [], "no fsync": []}
    with (
        running_broker(folder / "synced") as synced,
        running_broker(folder / "unsynced", "--no-fsync") as unsynced,
    ):
        for number in range(ROUNDS):
            rates["fsync"].append(produce_rate(synced, f"t{number}", records))
            rates["no fsync"].append(produce_rate(unsynced, f"t{number}", records))
    return {name: [round(rate) for rate in found] for name, found in rates.items()}


def _receive(bootstrap: str, group: str, topic: str, count: int, found: "Queue[list[float]]") -> None:
    """A consumer process: how many milliseconds each record took, by the clock that all processes share."""
    took: list[float] = []
    ready = False
    with Consumer(bootstrap, group, [topic]) as consumer:
        until = time.monotonic() + _GRACE_SECONDS
        while len(took) < count and time.monotonic() < until:
            records = consumer.poll(0.1)
            now = time.monotonic_ns()
            took += [(now - int((record.value or b"0")[:20])) / 1e6 for record in records]
            until = time.monotonic() + _GRACE_SECONDS if records else until
            if not ready and len(consumer.assignment()) == PARTITIONS:
                ready = True
                found.put([])
    found.put(took)


def _offer(bootstrap: str, topic: str, count: int) -> float:
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


def disk_alone(folder: Path, writes: int = 300) -> dict[str, float]:
    """Milliseconds that one small append with its fdatasync takes without a broker: what no broker can beat."""
    took = []
    with open(folder / "alone", "wb", buffering=0) as file:
        for _ in range(writes):
            began = time.perf_counter()
            file.write(b"x" * 8 * RECORD_BYTES)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return _ranks(took)


def _ranks(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    ranks = {f"p{rank}_ms": round(ordered[int(len(ordered) * rank / 100)], 2) for rank in (50, 95, 99)}
    return ranks | {"max_ms": round(ordered[-1], 2)}


def latency(folder: Path, seconds: float, *options: str) -> dict[str, Any]:
    """Milliseconds from sending to having, over all consumers; each is a group of its own and gets every record."""
    context = multiprocessing.get_context("spawn")
    found: Queue[list[float]] = context.Queue()
    count = int(OFFERED_PER_SECOND * seconds)
    with running_broker(folder, *options) as bootstrap:
        make_topics(bootstrap, [_topic("latency")])
        arguments = [(bootstrap, f"g{number}", "latency", count, found) for number in range(CONSUMERS)]
        consumers = [context.Process(target=_receive, args=one, daemon=True) for one in arguments]
        for one in consumers:
            one.start()
        for _ in consumers:
            found.get(timeout=_GRACE_SECONDS)
        offered = _offer(bootstrap, "latency", count)
        collected = [found.get(timeout=2 * _GRACE_SECONDS) for _ in consumers]
        for one in consumers:
            one.join()
    counted = [value for values in collected for value in values[int(count * _WARM_UP) :]]
    received = [len(values) for values in collected]
    return {"offered_per_second": round(offered), "sent": count, "received": received, **_ranks(counted)}


def measure(folder: Path, records: int = 60_000, seconds: float = 15.0) -> dict[str, Any]:
    """Both measurements in `folder`: `targets` [{name, value, target, met}] and `detail`."""
    rates = throughput(folder, records)
    waits = latency(folder / "synced-wait", seconds)
    unsynced = latency(folder / "unsynced-wait", seconds / 2, "--no-fsync")
    rate = statistics.median(rates["fsync"])
    ratio = round(rate / statistics.median(rates["no fsync"]), 3)
    complete = all(received == waits["sent"] for received in waits["received"])
    return {
        "targets": [
            {
                "name": "records/s of 1 KB, acks=all with fsync (or half of the rate without)",
                "value": rate,
                "target": TARGET_RATE,
                "met": rate >= TARGET_RATE or ratio >= TARGET_RATIO,
            },
            {
                "name": f"produce to consume p99 ms at {OFFERED_PER_SECOND}/s with {CONSUMERS} consumers",
                "value": waits["p99_ms"],
                "target": TARGET_P99_MS,
                "met": complete and waits["p99_ms"] < TARGET_P99_MS,
            },
        ],
        "detail": {
            "records": records,
            "records_per_second": rates,
            "fsync_over_no_fsync": ratio,
            "latency": waits,
            "latency_no_fsync": unsynced,
            "fdatasync_alone": disk_alone(folder),
        },
    }


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        print(json.dumps(measure(Path(folder)), indent=2))


if __name__ == "__main__":
    main()
