"""What one library writes, every other reads: bytes, order, headers, times and offsets."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import aiokafka
import confluent_kafka
import kafka
import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor as AioRange
from kafka.coordinator.assignors.range import RangePartitionAssignor as PythonRange

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import librdkafka, make_topic, python_login
from tests.conformance.broker.libraries import READERS, WRITERS, Message, run
from tests.waiting import wait_until

T0 = 1_700_000_000_000
MESSAGES = [
    Message(b"key", b"value", (("ce_id", b"1"), ("ce_id", b"again"), ("empty", b"")), T0),
    Message(None, b"no key", (), T0 + 5),
    Message(b"tombstone", None, (), T0 + 3),
    Message(b"", b"", (), T0 + 3),
    Message("schlüssel".encode(), bytes(range(256)) * 20, (("h", b"\0\xff"),), T0 + 900),
    Message(b"large", b"x" * 900_000, (), T0 + 1000),
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "compression",
    ["none", *(pytest.param(codec, marks=pytest.mark.full) for codec in ("gzip", "snappy", "lz4", "zstd"))],
)
@pytest.mark.parametrize("writer", WRITERS)
def test_every_library_reads_what_every_library_writes(
    bootstrap: Bootstrap, writer: str, reader: str, compression: str
) -> None:
    topic = f"matrix-{writer}-{reader}-{compression}"
    make_topic(bootstrap, topic)
    WRITERS[writer](bootstrap, topic, MESSAGES, compression)
    found = READERS[reader](bootstrap, topic, len(MESSAGES))
    assert found == [replace(message, offset=number) for number, message in enumerate(MESSAGES)]


@pytest.mark.parametrize("compression", ["snappy", "lz4", "zstd"])
def test_batches_in_any_compression_pass_untouched(bootstrap: Bootstrap, compression: str) -> None:
    topic = f"compressed-{compression}"
    make_topic(bootstrap, topic)
    WRITERS["confluent"](bootstrap, topic, MESSAGES, compression)
    found = READERS["aiokafka"](bootstrap, topic, len(MESSAGES))
    assert found == [replace(message, offset=number) for number, message in enumerate(MESSAGES)]


class Members:
    """A consumer of each library in one group, each in a thread of its own, collecting (partition, offset)."""

    def __init__(self, bootstrap: Bootstrap, topic: str, group: str) -> None:
        self.bootstrap, self.topic, self.group = bootstrap, topic, group
        self.seen: dict[str, list[tuple[int, int]]] = {"confluent": [], "aiokafka": [], "kafka-python": []}
        self.owned: dict[str, set[int]] = {name: set() for name in self.seen}
        self.stop = threading.Event()
        work = {"confluent": self._confluent, "aiokafka": self._aiokafka, "kafka-python": self._kafka_python}
        self.threads = [threading.Thread(target=each, name=name) for name, each in work.items()]

    def __enter__(self) -> "Members":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(20)

    def balanced(self) -> bool:
        """Whether each has partitions of its own, and together they have all six."""
        sets = list(self.owned.values())
        return all(sets) and sum(map(len, sets)) == 6 and set.union(*sets) == set(range(6))

    def all_seen(self) -> list[tuple[int, int]]:
        return [place for places in self.seen.values() for place in places]

    def _confluent(self) -> None:
        settings = {**librdkafka(self.bootstrap), "group.id": self.group, "auto.offset.reset": "earliest"}
        more = {"partition.assignment.strategy": "range", "session.timeout.ms": 6000, "heartbeat.interval.ms": 300}
        consumer = confluent_kafka.Consumer(settings | more | {"log_level": 0})
        consumer.subscribe([self.topic])
        while not self.stop.is_set():
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.seen["confluent"].append((message.partition(), message.offset()))
            self.owned["confluent"] = {entry.partition for entry in consumer.assignment()}
        consumer.close()

    def _aiokafka(self) -> None:
        async def work() -> None:
            consumer = aiokafka.AIOKafkaConsumer(
                self.topic,
                **python_login(self.bootstrap),
                group_id=self.group,
                auto_offset_reset="earliest",
                heartbeat_interval_ms=300,
                partition_assignment_strategy=[AioRange],
            )
            await consumer.start()
            while not self.stop.is_set():
                for place, records in (await consumer.getmany(timeout_ms=100)).items():
                    self.seen["aiokafka"] += [(place.partition, record.offset) for record in records]
                self.owned["aiokafka"] = {place.partition for place in consumer.assignment()}
            await consumer.stop()

        asyncio.run(work())

    def _kafka_python(self) -> None:
        consumer = kafka.KafkaConsumer(
            self.topic,
            **python_login(self.bootstrap),
            group_id=self.group,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=300,
            partition_assignment_strategy=[PythonRange],
        )
        while not self.stop.is_set():
            for place, records in consumer.poll(timeout_ms=100).items():
                self.seen["kafka-python"] += [(place.partition, record.offset) for record in records]
            self.owned["kafka-python"] = {place.partition for place in consumer.assignment()}
        consumer.close()


def produce_evenly(bootstrap: Bootstrap, topic: str, each: int) -> None:
    producer = confluent_kafka.Producer({**librdkafka(bootstrap)})
    for number in range(each * 6):
        producer.produce(topic, b"%d" % number, partition=number % 6)
    assert producer.flush(20) == 0


def test_three_libraries_share_one_group(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "shared", 6)
    with Members(bootstrap, "shared", "mixed") as members:
        wait_until(members.balanced, 40, "a share for each member")
        produce_evenly(bootstrap, "shared", 50)
        wait_until(lambda: len(members.all_seen()) >= 300, 20, "all records")
    assert sorted(members.all_seen()) == sorted((partition, offset) for partition in range(6) for offset in range(50))


def test_one_library_goes_on_where_another_committed(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "handover", 1)
    WRITERS["confluent"](bootstrap, "handover", [Message(None, b"%d" % number) for number in range(20)], "none")
    first = kafka.KafkaConsumer(
        "handover", **python_login(bootstrap), group_id="handover", auto_offset_reset="earliest", max_poll_records=7
    )
    read: list[Any] = []
    wait_until(lambda: read.extend(*first.poll(timeout_ms=500).values()) or read, 20, "records")
    first.commit()
    first.close(autocommit=False)

    async def rest() -> list[int]:
        consumer = aiokafka.AIOKafkaConsumer(
            "handover", **python_login(bootstrap), group_id="handover", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            return [(await consumer.getone()).offset for _ in range(20 - len(read))]
        finally:
            await consumer.stop()

    assert run(rest) == list(range(len(read), 20))
