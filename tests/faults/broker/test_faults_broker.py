"""The broker under crashes, failing disks, hostile bytes and a second process."""

import itertools
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg_lab.broker import probe
from medkg_lab.broker.client import Consumer, Producer, Record, group_listing, produce, read_all, tail, topic_listing
from medkg_lab.broker.client_settings import Bootstrap
from medkg_lab.broker.errors import DeliveryFailed
from tests.brokers import BrokerProcess, librdkafka, make_topic, record_batch, send_each, wait_for_log
from tests.waiting import wait_until

FAILING_SYNC = """
import os, pathlib
from medkg_lab.broker.embedded import disk
real = disk.sync
def sync(descriptor):
    if pathlib.Path({switch!r}).exists():
        raise OSError(5, "Input/output error")
    real(descriptor)
disk.sync = sync
"""
BLOCKED_SYNC = """
import pathlib, time
from medkg_lab.broker.embedded import disk
real = disk.sync
def sync(descriptor):
    while pathlib.Path({switch!r}).exists():
        time.sleep(0.01)
    real(descriptor)
disk.sync = sync
"""
FULL_DISK = """
import pathlib
from medkg_lab.broker.embedded import disk
real = disk.write_at
def write_at(descriptor, parts, position):
    if pathlib.Path({switch!r}).exists():
        real(descriptor, [bytes(part)[:8] for part in parts], position)
        raise OSError(28, "No space left on device")
    real(descriptor, parts, position)
disk.write_at = write_at
"""
DIES_BEFORE_ANSWERING = """
import os, pathlib
from medkg_lab.broker.embedded import codec
real = codec.encode_response
def encode(head, body):
    switch = pathlib.Path({switch!r})
    if head.api_key == 0 and switch.exists():
        switch.unlink()
        os._exit(9)
    return real(head, body)
codec.encode_response = encode
"""


LARGEST_BACKLOG = 10_000
"""Records that a stream leaves unacknowledged: more than are in flight at a kill, a tenth of what the queue holds."""


@contextmanager
def broken_broker(folder: Path, prelude: str) -> Iterator[tuple[BrokerProcess, Path]]:
    """A broker that misbehaves while the returned file exists."""
    switch = folder / "switch"
    broker = BrokerProcess(folder, prelude=prelude.format(switch=str(switch)))
    try:
        yield broker.start(), switch
    finally:
        switch.unlink(missing_ok=True)
        broker.close()


class Stream:
    """An idempotent producer in a thread, sending numbers to two partitions and noting which were acknowledged."""

    def __init__(self, bootstrap: Bootstrap, topic: str) -> None:
        settings_ = {**librdkafka(bootstrap), "enable.idempotence": True, "linger.ms": 2, "log_level": 0}
        backoff = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20}
        self._producer = confluent_kafka.Producer(settings_ | backoff)
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[int] = []
        self.errors: list[str] = []
        self._thread.start()

    def _delivered(self, error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
        if error is None:
            self.acknowledged.append(int((message.value() or b"")[:12]))
        else:
            self.errors.append(error.str())

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            value = b"%012d" % number + b"x" * 200
            self._producer.produce(self._topic, value, partition=number % 2, on_delivery=self._delivered)
            if number % 20 == 0:
                self._producer.poll(0.002)
            # While the broker is away nothing is acknowledged; a full queue would end this thread and with it the test.
            while len(self._producer) > LARGEST_BACKLOG and not self._stop.is_set():
                self._producer.poll(0.05)

    def finish(self) -> None:
        self._stop.set()
        self._thread.join(20)
        assert self._producer.flush(40) == 0
        assert self.errors == []


def assert_complete(bootstrap: Bootstrap, acknowledged: list[int]) -> None:
    """Every acknowledged number is there once, in order, at contiguous offsets."""
    records: dict[int, list[Record]] = {0: [], 1: []}
    for record in read_all(bootstrap, "t"):
        records[record.partition].append(record)
    numbers = {partition: [int((record.value or b"")[:12]) for record in found] for partition, found in records.items()}
    assert sorted([*numbers[0], *numbers[1]]) == sorted(acknowledged)
    for partition, found in numbers.items():
        assert found == sorted(found)
        assert [record.offset for record in records[partition]] == list(range(len(found)))


def kill_while_producing(broker: BrokerProcess, times: int) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t", 2, segment_bytes="200000")
    stream = Stream(broker.bootstrap, "t")
    for _ in range(times):
        reached = len(stream.acknowledged) + 2000
        wait_until(lambda goal=reached: len(stream.acknowledged) > goal, 60, f"{reached} acknowledgements")  # type: ignore[misc]
        broker.kill()
        broker.start()
        assert broker.facts["offline"] == {}
    stream.finish()
    assert_complete(broker.bootstrap, stream.acknowledged)


def test_nothing_acknowledged_is_lost_or_doubled_when_the_broker_is_killed(broker: BrokerProcess) -> None:
    kill_while_producing(broker, 2)


@pytest.mark.full
def test_nothing_acknowledged_is_lost_or_doubled_over_many_kills(broker: BrokerProcess) -> None:
    kill_while_producing(broker, 15)


def test_a_batch_that_was_stored_but_not_answered_is_not_stored_twice(tmp_path: Path) -> None:
    with broken_broker(tmp_path, DIES_BEFORE_ANSWERING) as (broker, switch):
        make_topic(broker.bootstrap, "t")
        with Producer(broker.bootstrap) as producer:
            producer.send("t", b"first")
            producer.flush()
            switch.touch()
            producer.send("t", b"second")
            assert broker.wait() == 9
            assert len(broker.segments("t")[0].read_bytes()) > 0
            broker.start()
            assert topic_listing(broker.bootstrap)[0].next == 2
        assert [record.value for record in read_all(broker.bootstrap, "t")] == [b"first", b"second"]


def test_committed_offsets_survive_a_kill_and_the_group_goes_on(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    send_each(broker.bootstrap, "t", *(b"%d" % number for number in range(5)))
    with Consumer(broker.bootstrap, "g", ["t"]) as consumer:
        records: list[Record] = []
        wait_until(lambda: records.extend(consumer.poll(0.2)) or len(records) >= 5, 20, "five records")
        consumer.commit(records)
        broker.kill()
        broker.start()
        assert group_listing(broker.bootstrap)[0].committed == 5
        produce(broker.bootstrap, "t", b"5")
        wait_until(lambda: records.extend(consumer.poll(0.2)) or len(records) >= 6, 30, "the record after the kill")
    assert [record.value for record in records] == [b"%d" % number for number in range(6)]


def test_readers_see_nothing_before_it_is_synced(tmp_path: Path) -> None:
    with broken_broker(tmp_path, BLOCKED_SYNC) as (broker, switch):
        make_topic(broker.bootstrap, "t")
        switch.touch()
        with Producer(broker.bootstrap) as producer:
            producer.send("t", b"v")
            wait_until(lambda: producer.poll(0.01) or broker.segments("t")[0].stat().st_size, 10, "the write")
            assert topic_listing(broker.bootstrap)[0].next == 0
            assert len(producer) == 1
            switch.unlink()
        assert [record.value for record in tail(broker.bootstrap, "t", 5)] == [b"v"]


def test_a_failed_sync_is_never_acknowledged_and_ends_the_broker(tmp_path: Path) -> None:
    with broken_broker(tmp_path, FAILING_SYNC) as (broker, switch):
        make_topic(broker.bootstrap, "t")
        produce(broker.bootstrap, "t", b"safe")
        switch.touch()
        producer = Producer(broker.bootstrap)
        producer.send("t", b"doubtful")
        with pytest.raises(DeliveryFailed):
            producer.flush(3)
        assert broker.wait() == 1
        assert "Input/output error" in broker.log()
        switch.unlink()
        broker.start()
        assert [record.value for record in tail(broker.bootstrap, "t", 5)] == [b"safe"]


def test_a_full_disk_refuses_writing_keeps_reading_and_recovers(tmp_path: Path) -> None:
    with broken_broker(tmp_path, FULL_DISK) as (broker, switch):
        make_topic(broker.bootstrap, "t")
        produce(broker.bootstrap, "t", b"before")
        switch.touch()
        with pytest.raises(DeliveryFailed):
            produce(broker.bootstrap, "t", b"during", timeout=2)
        assert [record.value for record in tail(broker.bootstrap, "t", 5)] == [b"before"]
        switch.unlink()
        produce(broker.bootstrap, "t", b"after")
        assert [record.value for record in tail(broker.bootstrap, "t", 5)] == [b"before", b"after"]


def test_below_the_free_space_that_is_kept_producing_is_refused(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path, "--min-free-bytes", str(2**60)).start()
    try:
        make_topic(broker.bootstrap, "t")
        with pytest.raises(DeliveryFailed):
            produce(broker.bootstrap, "t", b"v", timeout=2)
        assert topic_listing(broker.bootstrap)[0].next == 0
    finally:
        broker.close()


@pytest.mark.parametrize(
    "harm", ["cut", pytest.param("garbage", marks=pytest.mark.full), pytest.param("flip", marks=pytest.mark.full)]
)
def test_a_torn_tail_is_cut_and_reported(broker: BrokerProcess, harm: str) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    send_each(broker.bootstrap, "t", b"0", b"1", b"2")
    broker.kill()
    path = broker.segments("t")[0]
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-7], "garbage": whole + os.urandom(333), "flip": whole[:-1] + bytes([whole[-1] ^ 1])}[harm]
    )
    broker.start()
    kept = 3 if harm == "garbage" else 2
    assert broker.facts["cut_bytes"] > 0
    wait_for_log(broker, "bytes that a crash had torn")
    assert produce(broker.bootstrap, "t", b"next").offset == kept
    assert len(list(read_all(broker.bootstrap, "t"))) == kept + 1


def test_a_damaged_partition_is_offline_with_the_reason_and_the_others_serve(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "bad", segment_bytes="1024")
    make_topic(broker.bootstrap, "good")
    send_each(broker.bootstrap, "bad", *[b"x" * 900] * 4)
    send_each(broker.bootstrap, "good", b"v")
    broker.kill()
    path = broker.segments("bad")[1]
    harmed = bytearray(path.read_bytes())
    harmed[100] ^= 1
    path.write_bytes(harmed)
    broker.start()
    assert list(broker.facts["offline"]) == ["bad-0"]
    assert "damaged at byte 0" in broker.facts["offline"]["bad-0"]
    assert [record.value for record in tail(broker.bootstrap, "good", 5)] == [b"v"]
    with pytest.raises(DeliveryFailed):
        produce(broker.bootstrap, "bad", b"v", timeout=1)
    assert path.read_bytes() == harmed


def still_serves(broker: BrokerProcess) -> bool:
    return probe.metadata(str(broker.bootstrap), 5).brokers == {0: str(broker.bootstrap)}


def send(broker: BrokerProcess, data: bytes) -> None:
    """Send bytes and wait until the broker has closed the connection or answered."""
    with broker.connect() as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass  # the broker may close while the bytes are still on their way


HEAD = struct.Struct(">ihhih")
FRAMES = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda key, version, body: HEAD.pack(len(body) + 10, key, version, 1, -1) + body,
        st.integers(0, 70),
        st.integers(0, 12),
        st.binary(max_size=200),
    ),
)


def test_garbage_on_the_socket_harms_nobody_else(open_broker: BrokerProcess) -> None:
    broker = open_broker.start()
    make_topic(broker.bootstrap, "t")

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(FRAMES)
    def attack(data: bytes) -> None:
        send(broker, data)

    attack()
    assert still_serves(broker)
    assert produce(broker.bootstrap, "t", b"v").offset >= 0


HOSTILE: dict[str, Callable[[], bytes]] = {
    "negative length": lambda: struct.pack(">i", -1),
    "huge length": lambda: struct.pack(">i", 2**31 - 1) + b"x" * 1000,
    "array of two billion": lambda: HEAD.pack(14, 3, 1, 1, -1) + struct.pack(">i", 2**31 - 1),
    "plain http": lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "damaged batch": lambda: produce_frame(record_batch([b"v"])[:-3]),
    "old format": lambda: produce_frame(b"\0" * 16 + b"\1" + b"\0" * 60),
    "unknown api": lambda: HEAD.pack(10, 999, 0, 1, -1),
    "version to come": lambda: HEAD.pack(10, 0, 99, 1, -1),
}


def produce_frame(records: bytes) -> bytes:
    """A Produce request of version 3 for partition 0 of topic t."""
    topic = struct.pack(">h1sii", 1, b"t", 1, 0) + struct.pack(">i", len(records)) + records
    body = struct.pack(">hhii", -1, -1, 1000, 1) + topic
    return HEAD.pack(len(body) + 10, 0, 3, 1, -1) + body


def test_hostile_requests_end_in_a_closed_connection_or_an_error(open_broker: BrokerProcess) -> None:
    broker = open_broker.start()
    make_topic(broker.bootstrap, "t")
    for name, make in HOSTILE.items():
        send(broker, make())
        assert still_serves(broker), name
    assert topic_listing(broker.bootstrap)[0].next == 0
    send(broker, produce_frame(record_batch([b"v"])))
    assert topic_listing(broker.bootstrap)[0].next == 1


def send_for_ever(connection: socket.socket, data: bytes) -> None:
    while True:
        connection.sendall(data)


def test_a_client_that_does_not_read_its_answers_is_not_read_from(open_broker: BrokerProcess) -> None:
    broker = open_broker.start()
    make_topic(broker.bootstrap, "t")
    request = HEAD.pack(14, 3, 1, 1, -1) + struct.pack(">i", -1)
    with broker.connect() as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            send_for_ever(connection, request * 10_000)
        memory = int(Path(f"/proc/{broker.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert memory < 200 * 1024 * 1024
        assert still_serves(broker)


def test_a_second_broker_on_the_same_folder_is_told_why_not(open_broker: BrokerProcess, tmp_path: Path) -> None:
    broker = open_broker.start()
    other = tmp_path / "other"
    other.mkdir()
    second = BrokerProcess(other)
    second.data = broker.data
    with pytest.raises(AssertionError, match=rf"ended with 78: .*process {broker.process.pid}"):
        second.start()
    second.close()
    assert still_serves(broker)


def test_a_port_that_is_taken_and_a_host_that_others_reach_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        broker = BrokerProcess(tmp_path, "--port", str(taken.getsockname()[1]))
        with pytest.raises(AssertionError, match=r"ended with 78: (.|\n)*cannot listen"):
            broker.start()
        broker.close()
    open_to_all = BrokerProcess(tmp_path, "--host", "0.0.0.0")
    with pytest.raises(AssertionError, match=r"ended with 78: (.|\n)*loopback"):
        open_to_all.start()
    open_to_all.close()


def test_a_member_that_is_killed_is_replaced(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t", 4)
    child = os.fork()
    if child == 0:
        try:
            doomed = Consumer(broker.bootstrap, "g", ["t"], session_seconds=2)
            while True:
                doomed.poll(0.1)
        finally:
            os._exit(1)
    try:
        wait_until(lambda: [one for one in group_listing(broker.bootstrap) if one.state == "stable"], 20, "the member")
        with Consumer(broker.bootstrap, "g", ["t"], session_seconds=2) as heir:
            wait_until(lambda: heir.poll(0.1) or len(heir.assignment()) == 2, 20, "a share")
            os.kill(child, signal.SIGKILL)
            wait_until(lambda: heir.poll(0.1) or len(heir.assignment()) == 4, 20, "the whole")
            assert len(heir.assignment()) == 4
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
