"""Reading a topic from outside of any consumer group: its last records, or all that it has now."""

from collections.abc import Iterator
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from medkg_lab.broker.connecting import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable, ConsumeFailed, UnknownTopic
from medkg_lab.broker.record import Record, from_message


def tail(bootstrap: Bootstrap, topic: str, count: int, timeout: float = 10.0) -> list[Record]:
    """The last `count` records of `topic`, oldest first by time. Raises UnknownTopic, BrokerUnreachable, ConsumeFailed."""
    records = list(_read(bootstrap, topic, count, timeout))
    return sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))[-count:]


def read_all(bootstrap: Bootstrap, topic: str, timeout: float = 30.0) -> Iterator[Record]:
    """Every record that `topic` has now, in order within each partition; `timeout` is the longest pause between two.

    Raises UnknownTopic, BrokerUnreachable, ConsumeFailed.
    """
    return _read(bootstrap, topic, None, timeout)


def lowest(bootstrap: Bootstrap, topic: str, timeout: float = 10.0) -> dict[int, int]:
    """The offset of the oldest record that retention has left in each partition; above 0 where it took some.

    Raises UnknownTopic, BrokerUnreachable.
    """
    settings = client_settings(bootstrap) | {"group.id": "medkg-lab-read", "enable.auto.commit": False}
    consumer = confluent_kafka.Consumer(settings)
    try:
        found = consumer.list_topics(topic, timeout).topics[topic]
        if found.error is not None:
            raise UnknownTopic(topic=topic)
        places = {partition: TopicPartition(topic, partition) for partition in found.partitions}
        return {partition: consumer.get_watermark_offsets(place, timeout)[0] for partition, place in places.items()}
    except KafkaException as error:
        raise BrokerUnreachable(bootstrap=bootstrap, detail=error.args[0].str()) from error
    finally:
        consumer.close()


def _read(bootstrap: Bootstrap, topic: str, count: int | None, timeout: float) -> Iterator[Record]:
    settings = client_settings(bootstrap) | {"group.id": "medkg-lab-read", "enable.auto.commit": False}
    consumer = confluent_kafka.Consumer(settings | {"enable.partition.eof": True, "auto.offset.reset": "earliest"})
    try:
        ranges = _ranges(consumer, topic, count, timeout)
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in ranges.items()])
        yield from _until_ends(consumer, topic, {partition: end for partition, (_, end) in ranges.items()}, timeout)
    except KafkaException as error:
        raise BrokerUnreachable(bootstrap=bootstrap, detail=error.args[0].str()) from error
    finally:
        consumer.close()


def _ranges(consumer: Any, topic: str, count: int | None, timeout: float) -> dict[int, tuple[int, int]]:
    """The offsets to read from and up to in every partition that has records: the last `count`, or all."""
    found = consumer.list_topics(topic, timeout).topics[topic]
    if found.error is not None:
        raise UnknownTopic(topic=topic)
    ranges = {}
    for partition in found.partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout)
        if high > low:
            ranges[partition] = (low if count is None else max(low, high - count), high)
    return ranges


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
