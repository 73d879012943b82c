"""The broker under connections that crowd, stall or say nothing."""

import contextlib
import os
import resource
import struct
from pathlib import Path

import pytest

from medkg_lab.broker.client import Producer, produce
from tests.brokers import BrokerProcess, make_topic, wait_for_log

HEAD = struct.Struct(">ihhih")


@pytest.mark.parametrize("said", [b"", b"\0\0", b"\0\0\x10\0"], ids=["idle", "half a length", "half a frame"])
def test_connections_that_do_not_log_in_keep_nobody_out(tmp_path: Path, said: bytes) -> None:
    broker = BrokerProcess(tmp_path, "--login-seconds", "0.5", "--housekeeping-seconds", "0.1").start()
    held = []
    try:
        for _ in range(400):
            held.append(broker.connect())
            held[-1].sendall(said)
        make_topic(broker.bootstrap, "t")
        assert produce(broker.bootstrap, "t", b"v").offset == 0
        for connection in held:
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""
        assert broker.log().count("too many are not let in") < 10
    finally:
        for connection in held:
            connection.close()
        broker.close()


def test_a_broker_without_descriptors_waits_for_some_and_does_not_spin(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    pid = broker.process.pid
    few = len(os.listdir(f"/proc/{pid}/fd")) + 5
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, most))
    held = [broker.connect() for _ in range(40)]
    wait_for_log(broker, "no connection can be taken")
    for connection in held:
        connection.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    assert produce(broker.bootstrap, "t", b"v").offset == 0
    assert broker.log().count("no connection can be taken") < 5


def test_who_asks_nothing_for_long_is_closed_and_who_waits_for_an_answer_is_not(tmp_path: Path) -> None:
    options = ("--idle-seconds", "0.5", "--housekeeping-seconds", "0.1")
    broker = BrokerProcess(tmp_path, *options, open_to_all=True).start()
    try:
        make_topic(broker.bootstrap, "t")
        with broker.connect() as idle, broker.connect() as waiting:
            waiting.sendall(fetch_frame(wait_ms=2000))
            idle.sendall(HEAD.pack(14, 3, 1, 1, -1) + struct.pack(">i", 0))
            while idle.recv(65536):
                pass  # its answer, and then the end
            assert waiting.recv(4) != b""
    finally:
        broker.close()


def fetch_frame(wait_ms: int) -> bytes:
    """A Fetch request of version 4 that waits for a byte of partition 0 of topic t."""
    body = struct.pack(">iiiibi", -1, wait_ms, 1, 1000, 0, 1) + struct.pack(">h1siiqi", 1, b"t", 1, 0, 0, 1000)
    return HEAD.pack(len(body) + 10, 1, 4, 1, -1) + body


def test_a_connection_that_is_let_in_stays_when_others_crowd(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    sent: list[int] = []
    with Producer(broker.bootstrap) as producer, contextlib.ExitStack() as held:
        producer.send("t", b"1", on_delivery=lambda record: sent.append(record.offset))
        producer.flush()
        for _ in range(200):
            held.enter_context(broker.connect())
        producer.send("t", b"2", on_delivery=lambda record: sent.append(record.offset))
        producer.flush()
    assert sent == [0, 1]
