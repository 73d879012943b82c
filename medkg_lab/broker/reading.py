"""Reading a topic from outside of any consumer group: its last records, all that it has now, or what comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable, ConsumeFailed, UnknownTopic
from medkg_lab.broker.record import Record, from_message

_POLL_INTERVAL_S = 1.0


def tail(bootstrap: Bootstrap, topic: str, count: int, timeout: float = 10.0) -> list[Record]:
    """The last `count` records of `topic`, oldest first by time. Raises UnknownTopic, BrokerUnreachable, ConsumeFailed."""
    with _reader(bootstrap) as consumer:
        return _last(consumer, topic, _ranges(consumer, topic, count, timeout), count, timeout)


def follow(bootstrap: Bootstrap, topic: str, count: int = 0, timeout: float = 10.0) -> Iterator[Record]:
    """The last `count` records of `topic`, oldest first by time, and then every new one as it comes, without end.

    A broker that is away is waited for. Raises UnknownTopic, BrokerUnreachable, ConsumeFailed.
    """
    with _reader(bootstrap) as consumer:
        ranges = _ranges(consumer, topic, count, timeout)
        yield from _last(consumer, topic, ranges, count, timeout)
        consumer.assign([TopicPartition(topic, partition, end) for partition, (_, end) in ranges.items()])
        while True:
            message = consumer.poll(_POLL_INTERVAL_S)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield from_message(message)
            elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise UnknownTopic(topic=topic)
            elif error.fatal():
                raise ConsumeFailed(topics=topic, detail=error.str())


def read_all(bootstrap: Bootstrap, topic: str, timeout: float = 30.0) -> Iterator[Record]:
    """Every record that `topic` has now, in order within each partition; `timeout` is the longest pause between two.

    Raises UnknownTopic, BrokerUnreachable, ConsumeFailed.
    """
    with _reader(bootstrap) as consumer:
        yield from _within(consumer, topic, _ranges(consumer, topic, None, timeout), timeout)


def lowest(bootstrap: Bootstrap, topic: str, timeout: float = 10.0) -> dict[int, int]:
    """The offset of the oldest record that retention has left in each partition; above 0 where it took some.

    Raises UnknownTopic, BrokerUnreachable.
    """
    with _reader(bootstrap) as consumer:
        return {partition: low for partition, (low, _) in _ranges(consumer, topic, None, timeout).items()}


@contextmanager
def _reader(bootstrap: Bootstrap) -> Iterator[Any]:
    settings = client_settings(bootstrap) | {"group.id": "medkg-lab-read", "enable.auto.commit": False}
    consumer = confluent_kafka.Consumer(settings | {"enable.partition.eof": True, "auto.offset.reset": "earliest"})
    try:
        yield consumer
    except KafkaException as error:
        raise BrokerUnreachable(bootstrap=bootstrap, detail=error.args[0].str()) from error
    finally:
        consumer.close()


def _last(consumer: Any, topic: str, ranges: dict[int, tuple[int, int]], count: int, timeout: float) -> list[Record]:
    records = sorted(
        _within(consumer, topic, ranges, timeout), key=lambda one: (one.timestamp, one.partition, one.offset)
    )
    return records[max(0, len(records) - count) :]


def _ranges(consumer: Any, topic: str, count: int | None, timeout: float) -> dict[int, tuple[int, int]]:
    """The offsets to read from and up to in every partition: the last `count`, or all."""
    found = consumer.list_topics(topic, timeout).topics[topic]
    if found.error is not None:
        raise UnknownTopic(topic=topic)
    ranges = {}
    for partition in found.partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout)
        ranges[partition] = (low if count is None else max(low, high - count), high)
    return ranges


def _within(consumer: Any, topic: str, ranges: dict[int, tuple[int, int]], timeout: float) -> Iterator[Record]:
    """The records in `ranges`."""
    filled = {partition: (low, high) for partition, (low, high) in ranges.items() if high > low}
    consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in filled.items()])
    yield from _until_ends(consumer, topic, {partition: end for partition, (_, end) in filled.items()}, timeout)


def _until_ends(consumer: Any, topic: str, ends: dict[int, int], timeout: float) -> Iterator[Record]:
    """The records below `ends`; a partition is done at its end, also when retention took the last records before it."""
    while ends:
        message = consumer.poll(timeout)
        if message is None:
            raise ConsumeFailed(topics=topic, detail=f"nothing came for {timeout} s before the end was reached")
        error, partition = message.error(), message.partition()
        if error is None:
            if message.offset() < ends.get(partition, 0):
                yield from_message(message)
            if message.offset() + 1 >= ends.get(partition, 0):
                ends.pop(partition, None)
        elif error.code() == KafkaError._PARTITION_EOF:
            ends.pop(partition, None)
        else:
            raise ConsumeFailed(topics=topic, detail=error.str())
