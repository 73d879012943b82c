"""What applications do with confluent-kafka, one scenario after the other, as its own integration suite has them."""

import socket
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import librdkafka, make_topic
from tests.conformance.broker.libraries import READERS, WRITERS, Message
from tests.waiting import wait_until


def consumer(bootstrap: Bootstrap, group: str, **settings: Any) -> Any:
    base = {**librdkafka(bootstrap), "group.id": group, "auto.offset.reset": "earliest"}
    timing = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200}
    given = {name if name == "on_commit" else name.replace("_", "."): value for name, value in settings.items()}
    return confluent_kafka.Consumer(base | timing | given)


def producer(bootstrap: Bootstrap, **settings: Any) -> Any:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return confluent_kafka.Producer({**librdkafka(bootstrap)} | given)


def write(bootstrap: Bootstrap, topic: str, count: int) -> None:
    WRITERS["confluent"](bootstrap, topic, [Message(None, b"%d" % number) for number in range(count)], "none")


def next_offsets(reader: Any, count: int) -> list[int]:
    found: list[int] = []
    wait_until(
        lambda: found.extend(one.offset() for one in reader.consume(count - len(found), 0.5)) or len(found) >= count,
        20,
        f"{count} records",
    )
    return found


@pytest.fixture
def admin(bootstrap: Bootstrap) -> AdminClient:
    return AdminClient({**librdkafka(bootstrap)})


def code_of(future: Any) -> int:
    with pytest.raises(KafkaException) as caught:
        future.result(20)
    return int(caught.value.args[0].code())


@pytest.mark.parametrize("reader", READERS)
def test_many_and_large_headers_come_back_in_order(bootstrap: Bootstrap, reader: str) -> None:
    topic = f"headers-{reader}"
    make_topic(bootstrap, topic)
    headers = tuple((f"h{number % 7}", bytes([number % 256]) * (number * 20)) for number in range(200))
    WRITERS["confluent"](bootstrap, topic, [Message(None, None, headers)], "none")
    [found] = READERS[reader](bootstrap, topic, 1)
    assert (found.key, found.value, found.headers) == (None, None, headers)


def test_a_record_that_cannot_be_delivered_is_reported_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = producer(f"127.0.0.1:{silent.getsockname()[1]}", message_timeout_ms=300)
        errors: list[Any] = []
        sender.produce("nowhere", b"v", on_delivery=lambda error, _: errors.append(error.code()))
        assert sender.flush(20) == 0
    assert errors == [KafkaError._MSG_TIMED_OUT]


def test_a_record_of_an_unknown_partition_is_reported(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "one-partition")
    sender = producer(bootstrap, message_timeout_ms=3000)
    errors: list[Any] = []
    sender.produce("one-partition", b"v", partition=9, on_delivery=lambda error, _: errors.append(error.code()))
    assert sender.flush(20) == 0
    assert errors == [KafkaError._UNKNOWN_PARTITION]


def test_a_commit_in_the_background_calls_back(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "in-background")
    write(bootstrap, "in-background", 3)
    told: list[tuple[Any, list[int]]] = []

    def on_commit(error: Any, places: list[TopicPartition]) -> None:
        told.append((error, [place.offset for place in places]))

    reader = consumer(bootstrap, "in-background", enable_auto_commit=False, on_commit=on_commit)
    reader.assign([TopicPartition("in-background", 0, 0)])
    assert next_offsets(reader, 3) == [0, 1, 2]
    reader.commit(offsets=[TopicPartition("in-background", 0, 2)], asynchronous=True)
    wait_until(lambda: reader.poll(0.1) or told, 20, "the answer")
    assert told == [(None, [2])]
    reader.close()


def test_only_stored_offsets_are_committed_when_the_application_stores_them(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "stored")
    write(bootstrap, "stored", 5)
    reader = consumer(bootstrap, "stored", enable_auto_offset_store=False, auto_commit_interval_ms=100)
    reader.subscribe(["stored"])
    assert next_offsets(reader, 5) == [0, 1, 2, 3, 4]
    reader.store_offsets(offsets=[TopicPartition("stored", 0, 3)])
    reader.close()
    again = consumer(bootstrap, "stored", enable_auto_commit=False)
    [kept] = again.committed([TopicPartition("stored", 0)], 20)
    assert kept.offset == 3
    [never] = consumer(bootstrap, "never-there").committed([TopicPartition("stored", 0)], 20)
    assert never.offset == confluent_kafka.OFFSET_INVALID
    again.close()


def test_a_pattern_finds_topics_that_are_made_later(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "pattern-1")
    write(bootstrap, "pattern-1", 1)
    reader = consumer(bootstrap, "pattern", topic_metadata_refresh_interval_ms=200)
    reader.subscribe(["^pattern-[0-9]$"])
    assert next_offsets(reader, 1) == [0]
    make_topic(bootstrap, "pattern-2")
    write(bootstrap, "pattern-2", 1)
    found: list[str] = []
    wait_until(lambda: found.extend(one.topic() for one in reader.consume(1, 0.5)) or found, 30, "the new topic")
    assert found == ["pattern-2"]
    reader.close()


def test_the_end_of_a_partition_is_told(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "ended")
    write(bootstrap, "ended", 1)
    reader = consumer(bootstrap, "ended", enable_partition_eof=True)
    reader.assign([TopicPartition("ended", 0, 0)])
    assert reader.poll(20).offset() == 0
    end = wait_until(lambda: reader.poll(0.5), 20, "the end")
    assert (end.error().code(), end.offset()) == (KafkaError._PARTITION_EOF, 1)
    reader.close()


def test_eager_members_give_everything_up_and_share_it_out_anew(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "eager", 4)
    revoked: list[int] = []
    eager = {"partition_assignment_strategy": "range"}
    first, second = consumer(bootstrap, "eager", **eager), consumer(bootstrap, "eager", **eager)
    first.subscribe(["eager"], on_revoke=lambda _, places: revoked.append(len(places)))
    wait_until(lambda: first.poll(0.1) or len(first.assignment()) == 4, 20, "all four")
    second.subscribe(["eager"])

    def even() -> bool:
        first.poll(0.05)
        second.poll(0.05)
        return [len(first.assignment()), len(second.assignment())] == [2, 2]

    wait_until(even, 30, "two each")
    assert revoked == [4]
    second.close()
    wait_until(lambda: first.poll(0.1) or len(first.assignment()) == 4, 20, "all four again")
    first.close()


def test_a_dry_run_makes_no_topic_and_tells_what_would_fail(bootstrap: Bootstrap, admin: AdminClient) -> None:
    make_topic(bootstrap, "there")
    asked = [NewTopic("only-asked", 1), NewTopic("there", 1)]
    answers = admin.create_topics(asked, validate_only=True, request_timeout=20)
    answers["only-asked"].result(20)
    assert code_of(answers["there"]) == KafkaError.TOPIC_ALREADY_EXISTS
    assert "only-asked" not in admin.list_topics(timeout=20).topics


@pytest.mark.usefixtures("embedded_only")
def test_what_is_not_there_is_said_by_name(bootstrap: Bootstrap, admin: AdminClient) -> None:
    place = TopicPartition("not-there", 0)
    # librdkafka asks for the leader first, and says in a code of its own that there is none.
    assert code_of(admin.list_offsets({place: OffsetSpec.latest()})[place]) == KafkaError._NOENT
    gone = TopicPartition("not-there", 0, 1)
    assert code_of(admin.delete_records([gone])[gone]) == KafkaError._NOENT
    make_topic(bootstrap, "short")
    beyond = TopicPartition("short", 0, 5)
    assert code_of(admin.delete_records([beyond])[beyond]) == KafkaError.OFFSET_OUT_OF_RANGE
    group = admin.describe_consumer_groups(["not-there"])["not-there"].result(20)
    assert group.state == confluent_kafka.ConsumerGroupState.DEAD
    resource = ConfigResource(ResourceType.TOPIC, "not-there")
    assert code_of(admin.describe_configs([resource])[resource]) == KafkaError.UNKNOWN_TOPIC_OR_PART
    broker = ConfigResource(ResourceType.BROKER, "0")
    assert "advertised.listeners" in admin.describe_configs([broker])[broker].result(20)


@pytest.mark.usefixtures("embedded_only")
def test_a_transactional_producer_is_refused_for_good(bootstrap: Bootstrap) -> None:
    sender = producer(bootstrap, transactional_id="t")
    with pytest.raises(KafkaException) as caught:
        sender.init_transactions(20)
    error = caught.value.args[0]
    assert (error.code(), error.fatal(), error.retriable()) == (
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        True,
        False,
    )
