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

from medkg_lab.broker.address import Address, scram_login
from medkg_lab.broker.client_settings import Bootstrap
from medkg_lab.broker.topics import lab_topics, make_topics
from medkg_lab.credentials import LAB_ACCOUNT as LAB
from medkg_lab.credentials import PRODUCER_ACCOUNT as PRODUCER
from medkg_lab.files import write_private
from tests.waiting import wait_until

MODULE = "medkg_lab.broker.embedded"


class BrokerProcess:
    """One broker on a folder; it keeps its port over restarts. `prelude` is Python that runs before the broker's main.

    It asks for a login unless `open_to_all` says otherwise, which is for tests that speak to its socket with bare hands.
    """

    def __init__(self, folder: Path, *options: str, prelude: str = "", open_to_all: bool = False) -> None:
        self.data = folder / "broker"
        self.passwords = {} if open_to_all else {name: f"the-password-of-{name}" for name in (LAB, PRODUCER)}
        self.options = (*self._access(folder), *options)
        self.prelude = prelude
        self.facts: dict[str, Any] = {}
        self._port = 0
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def as_external(self) -> dict[str, Any]:
        """The settings of a lab for which this is an external cluster."""
        login = {"protocol": "sasl_plaintext", "mechanism": "SCRAM-SHA-256", "username": LAB}
        security = login | {"password_file": str(self._folder / f"{LAB}.password")}
        return {"engine": "external", "bootstrap": str(self.bootstrap), "security": security}

    def _access(self, folder: Path) -> list[str]:
        options = []
        for name, password in self.passwords.items():
            write_private(folder / f"{name}.password", password)
            options += [f"--{name}-password-file", str(folder / f"{name}.password")]
        return options or ["--no-authentication"]

    @property
    def bootstrap(self) -> Address:
        """The address for the lab's clients, with what it takes to be let in."""
        return self.address(LAB)

    def address(self, account: str) -> Address:
        """The address for clients that log in as `account`."""
        login = scram_login(account, self.passwords[account]) if self.passwords else {}
        return Address(f"127.0.0.1:{self._port}", tuple(login.items()))

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


@pytest.fixture
def open_broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """One that asks nobody to log in, not started yet."""
    process = BrokerProcess(tmp_path, open_to_all=True)
    yield process
    process.close()


def librdkafka(bootstrap: Bootstrap, **settings: Any) -> dict[str, Any]:
    """What a bare librdkafka client is made with; dots of setting names are written as underscores."""
    security = dict(bootstrap.security) if isinstance(bootstrap, Address) else {}
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return {"bootstrap.servers": str(bootstrap), "log_level": 0, **security, **given}


def python_login(bootstrap: Bootstrap) -> dict[str, Any]:
    """What a client of aiokafka or kafka-python is made with."""
    login = {"bootstrap_servers": str(bootstrap)}
    if isinstance(bootstrap, Address) and bootstrap.security:
        given = dict(bootstrap.security)
        login |= {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": given["sasl.mechanism"]}
        login |= {"sasl_plain_username": given["sasl.username"], "sasl_plain_password": given["sasl.password"]}
    return login


def make_topic(bootstrap: Bootstrap, topic: str, partitions: int = 1, **config: str) -> None:
    """Make a topic; dots of setting names are written as underscores."""
    from confluent_kafka.admin import AdminClient, NewTopic

    settings = {name.replace("_", "."): value for name, value in config.items()}
    admin = AdminClient(librdkafka(bootstrap))
    admin.create_topics([NewTopic(topic, partitions, config=settings)])[topic].result(20)


def ensure_topics(bootstrap: Bootstrap, prefix: str = "", timeout: float = 30.0) -> list[str]:
    """Make those of the lab's topics that are not there; returns the names of the new ones."""
    return make_topics(bootstrap, lab_topics(prefix), timeout)


def send_each(bootstrap: Bootstrap, topic: str, *values: bytes) -> None:
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
