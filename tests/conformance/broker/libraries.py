"""Three Kafka libraries that share no code, behind one face: confluent-kafka (librdkafka), aiokafka and kafka-python."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka
import confluent_kafka
import kafka

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import librdkafka, python_login

SECONDS = 20
LINGER_MS = 50
"""So that several records share a batch."""


@dataclass(frozen=True)
class Message:
    """One record as every library can give it."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 1_700_000_000_000
    offset: int = -1


def confluent_write(bootstrap: Bootstrap, topic: str, messages: Sequence[Message], compression: str) -> None:
    settings = {
        **librdkafka(bootstrap),
        "enable.idempotence": True,
        "compression.type": compression,
        "log_level": 0,
    }
    producer = confluent_kafka.Producer(settings | {"message.max.bytes": 2_000_000})
    errors: list[Any] = []
    for one in messages:
        producer.produce(
            topic,
            one.value,
            key=one.key,
            headers=list(one.headers),
            timestamp=one.timestamp,
            partition=0,
            on_delivery=lambda error, _: errors.append(error),
        )
    assert producer.flush(SECONDS) == 0
    assert errors == [None] * len(messages)


def confluent_read(bootstrap: Bootstrap, topic: str, count: int) -> list[Message]:
    settings = {
        **librdkafka(bootstrap),
        "group.id": f"read-{topic}",
        "auto.offset.reset": "earliest",
        "log_level": 0,
    }
    consumer = confluent_kafka.Consumer(settings | {"check.crcs": True})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    until = time.monotonic() + SECONDS
    while len(found) < count and time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is not None:
            assert message.error() is None, message.error()
            headers = tuple(message.headers() or ())
            found.append(Message(message.key(), message.value(), headers, message.timestamp()[1], message.offset()))
    consumer.close()
    return found


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run asynchronous work with a time-out."""
    return asyncio.run(asyncio.wait_for(work(), SECONDS))


def aiokafka_write(bootstrap: Bootstrap, topic: str, messages: Sequence[Message], compression: str) -> None:
    async def work() -> None:
        producer = aiokafka.AIOKafkaProducer(
            **python_login(bootstrap),
            enable_idempotence=True,
            compression_type=None if compression == "none" else compression,
            max_request_size=2_000_000,
            linger_ms=LINGER_MS,
        )
        await producer.start()
        try:
            sent = [
                await producer.send(
                    topic, one.value, key=one.key, headers=list(one.headers), timestamp_ms=one.timestamp, partition=0
                )
                for one in messages
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    run(work)


def aiokafka_read(bootstrap: Bootstrap, topic: str, count: int) -> list[Message]:
    async def work() -> list[Message]:
        consumer = aiokafka.AIOKafkaConsumer(**python_login(bootstrap), auto_offset_reset="earliest", check_crcs=True)
        await consumer.start()
        try:
            place = aiokafka.TopicPartition(topic, 0)
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            return [message(await consumer.getone()) for _ in range(count)]
        finally:
            await consumer.stop()

    return list(run(work))


def kafka_python_write(bootstrap: Bootstrap, topic: str, messages: Sequence[Message], compression: str) -> None:
    producer = kafka.KafkaProducer(
        **python_login(bootstrap),
        acks="all",
        compression_type=None if compression == "none" else compression,
        max_request_size=2_000_000,
        linger_ms=LINGER_MS,
    )
    sent = [
        producer.send(topic, one.value, key=one.key, headers=list(one.headers), timestamp_ms=one.timestamp, partition=0)
        for one in messages
    ]
    for future in sent:
        future.get(SECONDS)
    producer.close()


def kafka_python_read(bootstrap: Bootstrap, topic: str, count: int) -> list[Message]:
    consumer = kafka.KafkaConsumer(**python_login(bootstrap), consumer_timeout_ms=SECONDS * 1000, check_crcs=True)
    consumer.assign([kafka.TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    found = []
    for record in consumer:
        found.append(message(record))
        if len(found) == count:
            break
    consumer.close()
    return found


def confluent_seek(bootstrap: Bootstrap, topic: str, times: Sequence[int]) -> list[int | None]:
    reader = confluent_kafka.Consumer({**librdkafka(bootstrap), "group.id": "seek"})
    # A request may ask for one time per partition only.
    asked = [confluent_kafka.TopicPartition(topic, 0, time_) for time_ in times]
    found = [reader.offsets_for_times([place], timeout=SECONDS)[0].offset for place in asked]
    reader.close()
    return [None if offset < 0 else offset for offset in found]


def aiokafka_seek(bootstrap: Bootstrap, topic: str, times: Sequence[int]) -> list[int | None]:
    async def work() -> list[int | None]:
        reader = aiokafka.AIOKafkaConsumer(**python_login(bootstrap))
        await reader.start()
        try:
            place = aiokafka.TopicPartition(topic, 0)
            found = [(await reader.offsets_for_times({place: time_}))[place] for time_ in times]
        finally:
            await reader.stop()
        return [one and one.offset for one in found]

    return list(run(work))


def kafka_python_seek(bootstrap: Bootstrap, topic: str, times: Sequence[int]) -> list[int | None]:
    reader = kafka.KafkaConsumer(**python_login(bootstrap))
    place = kafka.TopicPartition(topic, 0)
    found = [reader.offsets_for_times({place: time_})[place] for time_ in times]
    reader.close()
    return [one and one.offset for one in found]


def message(record: Any) -> Message:
    """What aiokafka and kafka-python give, which is alike."""
    return Message(record.key, record.value, tuple(record.headers), record.timestamp, record.offset)


WRITERS = {"confluent": confluent_write, "aiokafka": aiokafka_write, "kafka-python": kafka_python_write}
READERS = {"confluent": confluent_read, "aiokafka": aiokafka_read, "kafka-python": kafka_python_read}
SEEKERS = {"confluent": confluent_seek, "aiokafka": aiokafka_seek, "kafka-python": kafka_python_seek}
