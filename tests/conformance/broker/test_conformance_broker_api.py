"""Seeking, waiting and administering, as clients are used to it."""

import threading
import time
from concurrent.futures import Future
from typing import Any

import confluent_kafka
import kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import librdkafka, make_topic, python_login
from tests.conformance.broker.libraries import SEEKERS, WRITERS, Message

T0 = 1_700_000_000_000


@pytest.fixture
def admin(bootstrap: Bootstrap) -> AdminClient:
    return AdminClient({**librdkafka(bootstrap)})


def consumer(bootstrap: Bootstrap, **settings: Any) -> Any:
    base = {**librdkafka(bootstrap), "group.id": "api", "enable.auto.commit": False}
    return confluent_kafka.Consumer(base | {name.replace("_", "."): value for name, value in settings.items()})


def error_of(future: "Future[Any]") -> int:
    with pytest.raises(KafkaException) as caught:
        future.result(20)
    return int(caught.value.args[0].code())


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_time_is_found_to_the_record(bootstrap: Bootstrap, writer: str, compression: str) -> None:
    topic = f"times-{writer}-{compression}"
    make_topic(bootstrap, topic)
    # One batch and then several, so that the record lies at the beginning, inside and at the end of one.
    written = [[100, 300, 200, 200, 900, 400], [1000], [1100]]
    for times in written:
        messages = [Message(None, b"v" * 100, timestamp=T0 + time_) for time_ in times]
        WRITERS[writer](bootstrap, topic, messages, compression)
    flat = [time_ for times in written for time_ in times]
    wanted = range(0, 1200, 50)
    expected = [next((offset for offset, time_ in enumerate(flat) if time_ >= each), None) for each in wanted]
    for seeker, seek in SEEKERS.items():
        assert seek(bootstrap, topic, [T0 + each for each in wanted]) == expected, seeker


def test_begin_end_and_an_offset_out_of_range(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "range")
    WRITERS["confluent"](bootstrap, "range", [Message(None, b"%d" % number) for number in range(5)], "none")
    reader = consumer(bootstrap, auto_offset_reset="earliest")
    assert reader.get_watermark_offsets(TopicPartition("range", 0), timeout=20) == (0, 5)
    reader.assign([TopicPartition("range", 0, 99)])
    message = reader.poll(20)
    assert (message.error(), message.offset()) == (None, 0)
    reader.close()


def test_a_waiting_reader_is_woken_by_a_record_and_not_by_its_time_out(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "wake")
    reader = kafka.KafkaConsumer(**python_login(bootstrap), fetch_max_wait_ms=60_000, request_timeout_ms=90_000)
    reader.assign([kafka.TopicPartition("wake", 0)])
    reader.seek_to_beginning()
    assert reader.poll(timeout_ms=500) == {}
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(reader.poll(timeout_ms=50_000)))
    thread.start()
    began = time.monotonic()
    WRITERS["confluent"](bootstrap, "wake", [Message(None, b"now")], "none")
    thread.join(55)
    # Far below the 60 s for which the broker may hold the request: this tells waking from timing out, it measures nothing.
    assert time.monotonic() - began < 30
    assert [record.value for records in found[0].values() for record in records] == [b"now"]
    reader.close()


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_kind_of_acknowledgement_is_offered(bootstrap: Bootstrap, acks: str) -> None:
    make_topic(bootstrap, f"acks-{acks}")
    producer = confluent_kafka.Producer({**librdkafka(bootstrap), "acks": acks})
    producer.produce(f"acks-{acks}", b"v")
    assert producer.flush(20) == 0
    reader = consumer(bootstrap)
    reader.assign([TopicPartition(f"acks-{acks}", 0, 0)])
    assert reader.poll(20).value() == b"v"
    reader.close()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_topic_that_is_not_there_is_made_for_who_asks_for_that(
    bootstrap: Bootstrap, admin: AdminClient, allowed: bool
) -> None:
    topic = f"asked-for-{allowed}"
    settings = {
        "allow.auto.create.topics": allowed,
        "topic.metadata.propagation.max.ms": 500 if not allowed else 20_000,
    }
    producer = confluent_kafka.Producer({**librdkafka(bootstrap)} | settings)
    errors: list[Any] = []
    producer.produce(topic, b"v", on_delivery=lambda error, _: errors.append(error and error.code()))
    assert producer.flush(20) == 0
    assert errors == [None if allowed else KafkaError.UNKNOWN_TOPIC_OR_PART]
    assert (topic in admin.list_topics(timeout=20).topics) == allowed


def test_topics_are_made_described_grown_and_removed(bootstrap: Bootstrap, admin: AdminClient) -> None:
    asked = [NewTopic("made", 2, 1, config={"retention.ms": "1234"}), NewTopic("bad name", 1), NewTopic("made.2", 1, 3)]
    answers = admin.create_topics(asked, request_timeout=20)
    answers["made"].result(20)
    assert error_of(answers["bad name"]) == KafkaError.TOPIC_EXCEPTION
    assert error_of(answers["made.2"]) == KafkaError.INVALID_REPLICATION_FACTOR
    assert error_of(admin.create_topics([NewTopic("made", 2)])["made"]) == KafkaError.TOPIC_ALREADY_EXISTS
    stamped = NewTopic("stamped", 1, config={"message.timestamp.type": "LogAppendTime"})
    assert error_of(admin.create_topics([stamped])["stamped"]) == KafkaError.INVALID_CONFIG

    resource = ConfigResource(ResourceType.TOPIC, "made")
    config = admin.describe_configs([resource], request_timeout=20)[resource].result(20)
    assert (config["retention.ms"].value, config["retention.ms"].is_default) == ("1234", False)
    assert config["segment.bytes"].is_default

    admin.create_partitions([NewPartitions("made", 4)])["made"].result(20)
    assert len(admin.list_topics("made", timeout=20).topics["made"].partitions) == 4
    assert error_of(admin.create_partitions([NewPartitions("made", 3)])["made"]) == KafkaError.INVALID_PARTITIONS

    admin.delete_topics(["made"])["made"].result(20)
    assert "made" not in admin.list_topics(timeout=20).topics
    assert error_of(admin.delete_topics(["made"])["made"]) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_topic_made_again_begins_empty(bootstrap: Bootstrap, admin: AdminClient) -> None:
    for _ in range(2):
        make_topic(bootstrap, "again")
        WRITERS["confluent"](bootstrap, "again", [Message(None, b"v")] * 3, "none")
        place = TopicPartition("again", 0)
        assert admin.list_offsets({place: OffsetSpec.latest()})[place].result(20).offset == 3
        admin.delete_topics(["again"])["again"].result(20)


def test_records_are_deleted_up_to_an_offset(bootstrap: Bootstrap, admin: AdminClient) -> None:
    make_topic(bootstrap, "shortened")
    WRITERS["confluent"](bootstrap, "shortened", [Message(None, b"%d" % number) for number in range(9)], "none")
    place = TopicPartition("shortened", 0, 4)
    assert admin.delete_records([place])[place].result(20).low_watermark == 4
    reader = consumer(bootstrap, auto_offset_reset="earliest")
    reader.assign([TopicPartition("shortened", 0, 0)])
    assert reader.poll(20).value() == b"4"
    reader.close()


def test_groups_are_listed_described_and_removed(bootstrap: Bootstrap, admin: AdminClient) -> None:
    make_topic(bootstrap, "grouped")
    WRITERS["confluent"](bootstrap, "grouped", [Message(None, b"v")], "none")
    member = consumer(bootstrap, group_id="seen", auto_offset_reset="earliest", client_id="me")
    member.subscribe(["grouped"])
    assert member.poll(20).error() is None
    member.commit(asynchronous=False)
    described = admin.describe_consumer_groups(["seen"])["seen"].result(20)
    assert described.state.name == "STABLE"
    assert [one.client_id for one in described.members] == ["me"]
    assert [place.topic for place in described.members[0].assignment.topic_partitions] == ["grouped"]
    assert error_of(admin.delete_consumer_groups(["seen"])["seen"]) == KafkaError.NON_EMPTY_GROUP
    member.close()
    assert "seen" in [one.group_id for one in admin.list_consumer_groups().result(20).valid]
    admin.delete_consumer_groups(["seen"])["seen"].result(20)
    assert "seen" not in [one.group_id for one in admin.list_consumer_groups().result(20).valid]
    assert error_of(admin.delete_consumer_groups(["seen"])["seen"]) == KafkaError.GROUP_ID_NOT_FOUND


def test_the_cluster_describes_itself(bootstrap: Bootstrap, admin: AdminClient) -> None:
    found = admin.describe_cluster(request_timeout=20).result(20)
    assert [f"{node.host}:{node.port}" for node in found.nodes] == [str(bootstrap)]
    assert found.controller.id == 0
    assert found.cluster_id


def test_transactions_are_refused_and_not_pretended(bootstrap: Bootstrap) -> None:
    producer = confluent_kafka.Producer({**librdkafka(bootstrap), "transactional.id": "t"})
    with pytest.raises(KafkaException) as caught:
        producer.init_transactions(20)
    assert caught.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_a_batch_over_the_topics_limit_is_refused(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "small", max_message_bytes="2000")
    producer = confluent_kafka.Producer({**librdkafka(bootstrap)})
    errors: list[Any] = []
    producer.produce("small", b"x" * 5000, on_delivery=lambda error, _: errors.append(error and error.code()))
    producer.flush(20)
    producer.produce("small", b"x" * 1000, on_delivery=lambda error, _: errors.append(error and error.code()))
    producer.flush(20)
    assert errors == [KafkaError.MSG_SIZE_TOO_LARGE, None]
