"""Consumers as their libraries' own suites use them: assigning, seeking, pausing, committing, and staying in a group."""

from typing import Any

import confluent_kafka
import kafka
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import librdkafka, make_topic, python_login
from tests.conformance.broker.libraries import WRITERS, Message
from tests.waiting import wait_until


def consumer(bootstrap: Bootstrap, group: str, **settings: Any) -> Any:
    base = {**librdkafka(bootstrap), "group.id": group, "enable.auto.commit": False}
    timing = {"auto.offset.reset": "earliest", "session.timeout.ms": 6000, "heartbeat.interval.ms": 200}
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return confluent_kafka.Consumer(base | timing | given)


def write(bootstrap: Bootstrap, topic: str, count: int) -> None:
    WRITERS["confluent"](bootstrap, topic, [Message(None, b"%d" % number) for number in range(count)], "none")


def read(reader: Any, count: int) -> list[int]:
    found: list[int] = []

    def poll() -> bool:
        message = reader.poll(0.2)
        if message is not None:
            assert message.error() is None, message.error()
            found.append(message.offset())
        return len(found) >= count

    wait_until(poll, 20, f"{count} records")
    return found


def test_a_commit_keeps_its_metadata_and_position_follows_reading(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "noted")
    write(bootstrap, "noted", 5)
    reader = consumer(bootstrap, "noted")
    reader.assign([TopicPartition("noted", 0, OFFSET_BEGINNING)])
    assert read(reader, 3) == [0, 1, 2]
    assert [one.offset for one in reader.position([TopicPartition("noted", 0)])] == [3]
    reader.commit(offsets=[TopicPartition("noted", 0, 3, "why")], asynchronous=False)
    (kept,) = reader.committed([TopicPartition("noted", 0)], 20)
    assert (kept.offset, kept.metadata) == (3, "why")
    reader.close()


def test_seeking_pausing_and_resuming(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "sought")
    write(bootstrap, "sought", 10)
    reader = consumer(bootstrap, "sought")
    place = TopicPartition("sought", 0)
    reader.assign([TopicPartition("sought", 0, 4)])
    assert read(reader, 2) == [4, 5]
    reader.seek(TopicPartition("sought", 0, 1))
    assert read(reader, 1) == [1]
    reader.pause([place])
    assert reader.poll(0.5) is None
    reader.resume([place])
    assert read(reader, 2) == [2, 3]
    reader.close()


def test_partitions_are_assigned_and_taken_away_one_by_one(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "grown", 2)
    producer = confluent_kafka.Producer({**librdkafka(bootstrap)})
    for partition in (0, 1):
        producer.produce("grown", b"v", partition=partition)
    assert producer.flush(20) == 0
    reader = consumer(bootstrap, "grown")
    reader.incremental_assign([TopicPartition("grown", 0, OFFSET_BEGINNING)])
    assert read(reader, 1) == [0]
    reader.incremental_assign([TopicPartition("grown", 1, OFFSET_BEGINNING)])
    assert read(reader, 1) == [0]
    reader.incremental_unassign([TopicPartition("grown", 0)])
    assert [one.partition for one in reader.assignment()] == [1]
    reader.close()


def test_cooperative_members_keep_what_they_have_when_another_joins(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "shared-out", 4)
    revoked: list[int] = []
    cooperative = {"partition_assignment_strategy": "cooperative-sticky"}
    first = consumer(bootstrap, "cooperative", **cooperative)
    first.subscribe(["shared-out"], on_revoke=lambda _, places: revoked.extend(place.partition for place in places))
    wait_until(lambda: first.poll(0.1) or len(first.assignment()) == 4, 20, "all four")
    second = consumer(bootstrap, "cooperative", **cooperative)
    second.subscribe(["shared-out"])

    def even() -> bool:
        first.poll(0.05)
        second.poll(0.05)
        return [len(first.assignment()), len(second.assignment())] == [2, 2]

    wait_until(even, 30, "two each")
    owned = {one.partition for one in first.assignment()} | {one.partition for one in second.assignment()}
    assert owned == {0, 1, 2, 3}
    assert len(revoked) == 2
    first.close()
    second.close()


def test_a_static_member_comes_back_to_its_partitions_without_a_rebalance(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "reserved", 4)
    assigned: list[int] = []

    def member(name: str) -> Any:
        one = consumer(bootstrap, "static", group_instance_id=name, partition_assignment_strategy="range")
        one.subscribe(["reserved"], on_assign=lambda _, places: assigned.append(len(places)))
        return one

    first, second = member("a"), member("b")

    def even() -> bool:
        first.poll(0.05)
        second.poll(0.05)
        return [len(first.assignment()), len(second.assignment())] == [2, 2]

    wait_until(even, 30, "two each")
    held = {one.partition for one in second.assignment()}
    second.close()
    calls = len(assigned)
    again = member("b")
    wait_until(lambda: first.poll(0.05) or again.poll(0.05) or len(again.assignment()) == 2, 20, "its old share")
    assert {one.partition for one in again.assignment()} == held
    assert len(assigned) == calls + 1
    first.close()
    again.close()


def test_kafka_python_iterates_commits_and_goes_on(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "iterated")
    write(bootstrap, "iterated", 6)
    offsets: list[int] = []
    for _ in range(2):
        reader = kafka.KafkaConsumer(
            "iterated",
            **python_login(bootstrap),
            group_id="iterated",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_records=3,
            consumer_timeout_ms=20_000,
        )
        offsets += [next(reader).offset for _ in range(3)]
        reader.commit()
        reader.close()
    assert offsets == list(range(6))


def test_records_near_the_size_limit_pass(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "wide", max_message_bytes="10485760")
    value = bytes(range(256)) * (8 * 1024 * 4)
    producer = kafka.KafkaProducer(
        **python_login(bootstrap), max_request_size=10 * 1024 * 1024, compression_type="gzip"
    )
    producer.send("wide", value).get(20)
    producer.close()
    plain = confluent_kafka.Producer({**librdkafka(bootstrap), "message.max.bytes": 10_000_000})
    plain.produce("wide", value)
    assert plain.flush(20) == 0
    reader = kafka.KafkaConsumer(
        "wide", **python_login(bootstrap), auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    assert [next(reader).value == value for _ in range(2)] == [True, True]
    reader.close()
