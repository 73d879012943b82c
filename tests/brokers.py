"""A real embedded broker for tests: its process, its files, and record batches made by an independent library."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka.record.memory_records import MemoryRecordsBuilder

from tests.waiting import wait_until

MODULE = "medkg_lab.broker.embedded"


class BrokerProcess:
    """One broker on a folder; it keeps its port over restarts. `prelude` is Python that runs before the broker's main."""

    def __init__(self, folder: Path, *options: str, prelude: str = "") -> None:
        self.data = folder / "broker"
        self.options = options
        self.prelude = prelude
        self.facts: dict[str, Any] = {}
        self._port = 0
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The running or ended process."""
        assert self._process is not None, "the broker was not started"
        return self._process

    def command(self) -> list[str]:
        """What it is started with."""
        run = f"from medkg_lab import process; from {MODULE}.__main__ import main; process.run('broker', main)"
        program = ["-c", f"{self.prelude}\n{run}"] if self.prelude else ["-m", MODULE]
        port = ["--port", str(self._port)]
        return [sys.executable, *program, "--data", str(self.data), *port, *self.options]

    def start(self) -> "BrokerProcess":
        """Start it and wait for its ready line."""
        with open(self._folder / "stderr.log", "a") as errors:
            self._process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the broker ended with {self._process.wait(10)}: {self.log()}"
        self.facts = json.loads(line)
        self._port = self.facts["port"]
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """End it as the supervisor would; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        return self.process.wait(20)

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            if self._process.poll() is None:
                self.kill()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def log(self) -> str:
        """What it wrote to stderr so far."""
        return (self._folder / "stderr.log").read_text()

    def segments(self, topic: str, partition: int = 0) -> list[Path]:
        """The files of a partition's log, oldest first."""
        return sorted((self.data / "topics" / topic / str(partition)).glob("*.log"))

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self._port), timeout=10)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker of this test's own, not started yet."""
    process = BrokerProcess(tmp_path)
    yield process
    process.close()


def make_topic(bootstrap: str, topic: str, partitions: int = 1, **config: str) -> None:
    """Make a topic; dots of setting names are written as underscores."""
    from confluent_kafka.admin import AdminClient, NewTopic

    settings = {name.replace("_", "."): value for name, value in config.items()}
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, config=settings)])[topic].result(20)


def send_each(bootstrap: str, topic: str, *values: bytes) -> None:
    """Send `values` to partition 0 in a batch each, every one acknowledged before the next."""
    from medkg_lab.broker.client import Producer

    with Producer(bootstrap, linger_ms=0) as producer:
        for value in values:
            producer.send(topic, value, partition=0)
            producer.flush()


def record_batch(
    values: Sequence[bytes],
    *,
    times: Sequence[int] | None = None,
    compression: int = 0,
    producer: tuple[int, int, int] = (-1, -1, -1),
) -> bytes:
    """One record batch as kafka-python makes it; `producer` is (id, epoch, first sequence number)."""
    pid, epoch, sequence = producer
    builder = MemoryRecordsBuilder(
        2, compression, 64 << 20, producer_id=pid, producer_epoch=epoch, base_sequence=sequence
    )
    for number, value in enumerate(values):
        builder.append(timestamp=times[number] if times else 1_700_000_000_000 + number, key=None, value=value)
    builder.close()
    return bytes(builder.buffer())


def wait_for_log(broker: BrokerProcess, text: str) -> None:
    """Wait until the broker has logged `text`."""
    wait_until(lambda: text in broker.log(), 10, f"{text!r} in the broker's log")


def only_loopback(pid: int) -> bool:
    """Whether the process `pid` listens on loopback addresses alone."""
    inodes = {
        os.readlink(entry.path)[8:-1] for entry in os.scandir(f"/proc/{pid}/fd") if "socket" in os.readlink(entry.path)
    }
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [fields[1] for fields in lines if fields[3] == "0A" and fields[9] in inodes]
    return bool(listening) and all(address.startswith("0100007F:") for address in listening)
