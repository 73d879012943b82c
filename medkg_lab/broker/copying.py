"""Carrying topics from one broker to another by reading and producing: records, their order, and where groups stand."""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from medkg_lab.broker.client import Producer
from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable, CopyIncomplete, CopyRefused
from medkg_lab.broker.listing import group_listing, topic_listing
from medkg_lab.broker.reading import read_all

_CARRIED = ("cleanup.policy", "max.message.bytes", "retention.bytes", "retention.ms", "segment.bytes", "segment.ms")
_INTERNAL = "__"
_FROM_TOPIC = 1
_TIMEOUT_S = 30.0
Places = dict[tuple[str, int], "array[int]"]
"""The offsets that a partition's records had before, in the order in which they were sent again."""


@dataclass(frozen=True)
class Copied:
    """One topic after copying."""

    topic: str
    partitions: int
    records: int


def copy(source: Bootstrap, target: Bootstrap, report: Callable[[Copied], None]) -> list[Copied]:
    """Copy every topic and every group's offsets; `report` is called after each topic.

    Raises CopyRefused when the target has records in one of the topics, CopyIncomplete when the counts differ at the end,
    and what reading and producing raise.
    """
    partitions: dict[str, int] = defaultdict(int)
    for entry in topic_listing(source):
        if not entry.topic.startswith(_INTERNAL):
            partitions[entry.topic] += 1
    _check_empty(target, partitions)
    _make(source, target, partitions)
    places: Places = {}
    done = []
    with Producer(target, linger_ms=20) as producer:
        for topic, count in partitions.items():
            found = _send(producer, source, topic)
            places |= found
            done.append(Copied(topic, count, sum(map(len, found.values()))))
            report(done[-1])
    _check_counts(target, places)
    _copy_groups(source, target, places)
    return done


def _check_empty(target: Bootstrap, partitions: dict[str, int]) -> None:
    for entry in topic_listing(target):
        if entry.topic in partitions and entry.next > entry.first:
            raise CopyRefused(detail=f"topic {entry.topic} of {target} has records already")


def _make(source: Bootstrap, target: Bootstrap, partitions: dict[str, int]) -> None:
    there = {entry.topic for entry in topic_listing(target)}
    missing = [topic for topic in partitions if topic not in there]
    if not missing:
        return
    # Kept by name until the answers are in: a client that is collected takes its requests along.
    asking, making = AdminClient(client_settings(source)), AdminClient(client_settings(target))
    try:
        configs = _configs(asking, missing)
        wanted = [NewTopic(topic, num_partitions=partitions[topic], config=configs[topic]) for topic in missing]
        for future in making.create_topics(wanted, request_timeout=_TIMEOUT_S).values():
            future.result()
    except KafkaException as error:
        raise CopyRefused(detail=f"the topics were not made: {error.args[0].str()}") from error


def _configs(admin: Any, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """The settings that were given to each topic, of those that every engine knows."""
    asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    answers = admin.describe_configs(asked, request_timeout=_TIMEOUT_S)
    return {
        resource.name: {
            name: entry.value
            for name, entry in future.result().items()
            if name in _CARRIED and entry.source == _FROM_TOPIC
        }
        for resource, future in answers.items()
    }


def _send(producer: Producer, source: Bootstrap, topic: str) -> Places:
    places: Places = {}
    for record in read_all(source, topic):
        places.setdefault((topic, record.partition), array("q")).append(record.offset)
        producer.send(
            topic,
            record.value,
            key=record.key,
            headers=record.headers,
            partition=record.partition,
            timestamp=record.timestamp,
        )
    producer.flush()
    return places


def _check_counts(target: Bootstrap, places: Places) -> None:
    for entry in topic_listing(target):
        wanted = len(places.get((entry.topic, entry.partition), ()))
        found = entry.next - entry.first
        if (entry.topic, entry.partition) in places and found != wanted:
            raise CopyIncomplete(topic=entry.topic, partition=entry.partition, found=found, wanted=wanted)


def _copy_groups(source: Bootstrap, target: Bootstrap, places: Places) -> None:
    """Give each group on the target the offset of the same record that it has on the source."""
    groups: dict[str, list[TopicPartition]] = defaultdict(list)
    for entry in group_listing(source):
        place = (entry.topic, entry.partition)
        if place in places:
            groups[entry.group].append(TopicPartition(*place, bisect_left(places[place], entry.committed)))
    admin: Any = AdminClient(client_settings(target))
    for group, offsets in groups.items():
        asked = [ConsumerGroupTopicPartitions(group, offsets)]
        try:
            admin.alter_consumer_group_offsets(asked, request_timeout=_TIMEOUT_S)[group].result()
        except KafkaException as error:
            raise BrokerUnreachable(bootstrap=target, detail=error.args[0].str()) from error
