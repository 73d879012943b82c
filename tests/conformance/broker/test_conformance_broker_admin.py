"""Administration by two libraries that share no code, and what is not offered being said so in the protocol's own words."""

import time
from concurrent.futures import Future
from typing import Any

import confluent_kafka
import kafka
import pytest
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    ElectionType,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
)
from kafka.admin import ConfigResource as PythonResource
from kafka.admin import ResourceType as PythonResourceType
from kafka.errors import (
    GroupSubscribedToTopicError,
    IncompatibleBrokerVersion,
    InvalidReplicationAssignmentError,
    LogDirNotFoundError,
    NoError,
    SecurityDisabledError,
    TransactionalIdAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import TopicPartitionReplica

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import librdkafka, make_topic, python_login
from tests.conformance.broker.libraries import WRITERS, Message

pytestmark = pytest.mark.usefixtures("embedded_only")


@pytest.fixture
def confluent(bootstrap: Bootstrap) -> AdminClient:
    return AdminClient({**librdkafka(bootstrap)})


@pytest.fixture
def python(bootstrap: Bootstrap) -> Any:
    admin = KafkaAdminClient(**python_login(bootstrap))
    yield admin
    admin.close()


def only(futures: "dict[Any, Future[Any]]") -> Any:
    (future,) = futures.values()
    return future.result(20)


def code_of(work: Any) -> int:
    with pytest.raises(KafkaException) as caught:
        work()
    return int(caught.value.args[0].code())


def write(bootstrap: Bootstrap, topic: str, *times: int) -> None:
    WRITERS["confluent"](bootstrap, topic, [Message(None, b"v", timestamp=time_) for time_ in times], "none")


def setting(admin: AdminClient, topic: str, name: str) -> str:
    return str(only(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))[name].value)


def change(topic: str, name: str, value: str | None, how: AlterConfigOpType) -> ConfigResource:
    entry = ConfigEntry(name, value, incremental_operation=how)
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])


def test_a_topics_settings_are_changed_one_by_one(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "tuned", segment_bytes="5000")
    only(confluent.incremental_alter_configs([change("tuned", "retention.ms", "1234", AlterConfigOpType.SET)]))
    assert (setting(confluent, "tuned", "retention.ms"), setting(confluent, "tuned", "segment.bytes")) == (
        "1234",
        "5000",
    )
    only(confluent.incremental_alter_configs([change("tuned", "retention.ms", None, AlterConfigOpType.DELETE)]))
    assert setting(confluent, "tuned", "retention.ms") == str(7 * 24 * 60 * 60 * 1000)
    bad = change("tuned", "retention.ms", "soon", AlterConfigOpType.SET)
    assert code_of(lambda: only(confluent.incremental_alter_configs([bad]))) == KafkaError.INVALID_CONFIG
    nowhere = change("not-there", "retention.ms", "1", AlterConfigOpType.SET)
    assert code_of(lambda: only(confluent.incremental_alter_configs([nowhere]))) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_words_are_added_to_a_list_and_taken_away(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "worded")
    only(confluent.incremental_alter_configs([change("worded", "cleanup.policy", "compact", AlterConfigOpType.APPEND)]))
    assert setting(confluent, "worded", "cleanup.policy") == "delete,compact"
    for word, left in (("delete", "compact"), ("compact", "")):
        less = change("worded", "cleanup.policy", word, AlterConfigOpType.SUBTRACT)
        only(confluent.incremental_alter_configs([less]))
        assert setting(confluent, "worded", "cleanup.policy") == left
    no_list = change("worded", "retention.ms", "1", AlterConfigOpType.APPEND)
    assert code_of(lambda: only(confluent.incremental_alter_configs([no_list]))) == KafkaError.INVALID_CONFIG


def test_a_change_is_seen_by_what_was_asked_behind_it(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    for number in range(5):
        make_topic(bootstrap, f"behind-{number}")
        write(bootstrap, f"behind-{number}", 1, 2, 3)
        place = TopicPartition(f"behind-{number}", 0, 2)
        deleting = confluent.delete_records([place])
        asking = confluent.list_offsets({TopicPartition(place.topic, 0): OffsetSpec.earliest()})
        assert (only(deleting).low_watermark, only(asking).offset) == (2, 2)


def test_settings_have_types_and_the_broker_says_where_it_listens(bootstrap: Bootstrap, python: Any) -> None:
    make_topic(bootstrap, "typed")
    asked = [PythonResource(ConfigResourceType.TOPIC, "typed"), PythonResource(ConfigResourceType.BROKER, 0)]
    found = python.describe_configs(asked, config_filter="all")
    assert found["topic"]["typed"]["retention.bytes"]["config_type"] == "LONG"
    listeners = found["broker"]["0"]["advertised.listeners"]
    assert listeners["value"].endswith(f"PLAINTEXT://{bootstrap}")
    assert (listeners["config_type"], listeners["read_only"]) == ("LIST", True)
    listed = python.list_config_resources()
    assert "typed" in listed["topic"]
    assert listed["broker"] == ["0"]
    assert list(python.list_config_resources([ConfigResourceType.BROKER])) == ["broker"]


def test_python_describes_topics_page_by_page(bootstrap: Bootstrap, python: Any) -> None:
    make_topic(bootstrap, "paged-a", 3)
    make_topic(bootstrap, "paged-b", 2)
    found: list[tuple[str, int]] = []
    cursor = None
    while True:
        answer = python.describe_topic_partitions(["paged-b", "paged-a"], response_partition_limit=2, cursor=cursor)
        for topic in answer["topics"]:
            assert topic["error_code"] == 0
            found += [(topic["name"], one["partition_index"]) for one in topic["partitions"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert found == [("paged-a", 0), ("paged-a", 1), ("paged-a", 2), ("paged-b", 0), ("paged-b", 1)]
    (missing,) = python.describe_topic_partitions(["not-there"])["topics"]
    assert missing["error_code"] == UnknownTopicOrPartitionError.errno


def test_a_partition_can_be_moved_only_to_where_it_is(bootstrap: Bootstrap, python: Any) -> None:
    make_topic(bootstrap, "moved")
    place = kafka.TopicPartition("moved", 0)
    assert python.alter_partition_reassignments({place: [0]}) == {place: None}
    assert python.alter_partition_reassignments({place: [1]}) == {place: InvalidReplicationAssignmentError}
    (folder,) = python.describe_log_dirs()[0]["log_dirs"]
    replica = TopicPartitionReplica("moved", 0, 0)
    assert python.alter_replica_log_dirs({replica: folder["log_dir"]}) == {replica: NoError}
    assert python.alter_replica_log_dirs({replica: "/elsewhere"}) == {replica: LogDirNotFoundError}


def test_a_changed_setting_holds_for_the_next_record(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "shrunk")
    WRITERS["confluent"](bootstrap, "shrunk", [Message(None, b"x" * 5000)], "none")
    only(confluent.incremental_alter_configs([change("shrunk", "max.message.bytes", "2000", AlterConfigOpType.SET)]))
    producer = confluent_kafka.Producer({**librdkafka(bootstrap)})
    errors: list[Any] = []
    producer.produce("shrunk", b"x" * 5000, on_delivery=lambda error, _: errors.append(error.code()))
    producer.flush(20)
    assert errors == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_all_settings_of_a_topic_are_replaced(bootstrap: Bootstrap, python: Any, confluent: AdminClient) -> None:
    make_topic(bootstrap, "replaced", segment_bytes="5000")
    resource = ConfigResource(ResourceType.TOPIC, "replaced", set_config={"retention.ms": "77"})
    with pytest.deprecated_call():
        only(confluent.alter_configs([resource]))
    assert (setting(confluent, "replaced", "retention.ms"), setting(confluent, "replaced", "segment.bytes")) == (
        "77",
        str(64 * 1024 * 1024),
    )
    asked = [PythonResource(ConfigResourceType.TOPIC, "replaced", {"retention.ms": "88"})]
    assert python.alter_configs(asked) == {"topic": {"replaced": "OK"}}
    assert setting(confluent, "replaced", "retention.ms") == "88"


def test_a_groups_offsets_are_set_listed_and_removed(bootstrap: Bootstrap, python: Any, confluent: AdminClient) -> None:
    make_topic(bootstrap, "placed", 2)
    write(bootstrap, "placed", 1, 2, 3)
    wanted = ConsumerGroupTopicPartitions("placers", [TopicPartition("placed", 0, 2), TopicPartition("placed", 1, 0)])
    only(confluent.alter_consumer_group_offsets([wanted]))
    found = only(confluent.list_consumer_group_offsets([ConsumerGroupTopicPartitions("placers")])).topic_partitions
    assert sorted((one.partition, one.offset) for one in found) == [(0, 2), (1, 0)]
    python.delete_group_offsets("placers", [kafka.TopicPartition("placed", 0)])
    (left,) = python.list_group_offsets(["placers"])["placers"].items()
    assert (left[0].partition, left[1].offset) == (1, 0)


def test_offsets_that_a_member_reads_on_from_are_not_removed(bootstrap: Bootstrap, python: Any) -> None:
    make_topic(bootstrap, "in-use")
    write(bootstrap, "in-use", 1)
    reader = kafka.KafkaConsumer("in-use", **python_login(bootstrap), group_id="busy", auto_offset_reset="earliest")
    assert next(reader).offset == 0
    reader.commit()
    place = kafka.TopicPartition("in-use", 0)
    assert python.delete_group_offsets("busy", [place])[place] is GroupSubscribedToTopicError
    reader.close()
    assert python.delete_group_offsets("busy", [place])[place] is not GroupSubscribedToTopicError


def test_offsets_are_listed_by_every_kind_of_question(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "asked")
    write(bootstrap, "asked", 100, 900, 300)
    place = TopicPartition("asked", 0)
    kinds = {
        OffsetSpec.earliest(): 0,
        OffsetSpec.latest(): 3,
        OffsetSpec.max_timestamp(): 1,
        OffsetSpec.for_timestamp(200): 1,
        OffsetSpec.for_timestamp(901): -1,
    }
    for kind, offset in kinds.items():
        assert only(confluent.list_offsets({place: kind})).offset == offset


def test_groups_are_listed_by_state_and_type(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "listed")
    wanted = ConsumerGroupTopicPartitions("sorted-out", [TopicPartition("listed", 0, 0)])
    only(confluent.alter_consumer_group_offsets([wanted]))
    empty, stable = confluent_kafka.ConsumerGroupState.EMPTY, confluent_kafka.ConsumerGroupState.STABLE
    classic, consumer = confluent_kafka.ConsumerGroupType.CLASSIC, confluent_kafka.ConsumerGroupType.CONSUMER

    def listed(**how: Any) -> bool:
        return "sorted-out" in {one.group_id for one in confluent.list_consumer_groups(**how).result(20).valid}

    assert listed(states={empty})
    assert listed(types={classic})
    assert not listed(states={stable})
    assert not listed(types={consumer})


def test_cluster_topics_and_groups_say_what_may_be_done(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "free")
    cluster = confluent.describe_cluster(include_authorized_operations=True).result(20)
    topic = only(confluent.describe_topics(TopicCollection(["free"]), include_authorized_operations=True))
    group = only(confluent.describe_consumer_groups(["anyone"], include_authorized_operations=True))
    assert AclOperation.CREATE in cluster.authorized_operations
    assert AclOperation.WRITE in topic.authorized_operations
    assert AclOperation.READ in group.authorized_operations


def test_python_describes_the_cluster_and_its_log_folder(bootstrap: Bootstrap, python: Any) -> None:
    make_topic(bootstrap, "weighed", 2)
    write(bootstrap, "weighed", 1)
    assert [f"{node['host']}:{node['port']}" for node in python.describe_cluster()["brokers"]] == [str(bootstrap)]
    (folder,) = python.describe_log_dirs()[0]["log_dirs"]
    (topic,) = (one for one in folder["topics"] if one["name"] == "weighed")
    sizes = {one["partition_index"]: one["partition_size"] for one in topic["partitions"]}
    assert sizes[0] > 0
    assert sizes[1] == 0


def test_the_only_broker_needs_no_election(bootstrap: Bootstrap, confluent: AdminClient) -> None:
    make_topic(bootstrap, "led")
    places = [TopicPartition("led", 0), TopicPartition("led", 7)]
    answers = confluent.elect_leaders(ElectionType.PREFERRED, places).result(20)
    assert {place.partition: error.code() for place, error in answers.items()} == {
        0: KafkaError.ELECTION_NOT_NEEDED,
        7: KafkaError.UNKNOWN_TOPIC_OR_PART,
    }


def test_access_control_is_refused(confluent: AdminClient, python: Any) -> None:
    rule = AclBinding(
        ResourceType.TOPIC,
        "t",
        ResourcePatternType.LITERAL,
        "User:u",
        "*",
        AclOperation.READ,
        AclPermissionType.ALLOW,
    )
    assert code_of(lambda: only(confluent.create_acls([rule]))) == KafkaError.SECURITY_DISABLED
    pattern = ResourcePattern(PythonResourceType.TOPIC, "t")
    same = ACL("User:u", "*", ACLOperation.READ, ACLPermissionType.ALLOW, pattern)
    assert python.create_acls([same])["failed"] == [SecurityDisabledError]


def test_transactions_are_refused_to_kafka_python(bootstrap: Bootstrap) -> None:
    producer = kafka.KafkaProducer(**python_login(bootstrap), transactional_id="t")
    with pytest.raises(TransactionalIdAuthorizationFailedError):
        producer.init_transactions()
    producer.close(timeout=1)


def test_what_is_not_offered_is_said_at_once(python: Any) -> None:
    with pytest.raises(IncompatibleBrokerVersion):
        python.describe_metadata_quorum()


@pytest.mark.usefixtures("embedded_only")
def test_accounts_transactions_quotas_and_producers_are_listed(bootstrap: Bootstrap, python: Any) -> None:
    accounts = python.describe_user_scram_credentials()
    assert {name: one["credential_infos"][0]["iterations"] for name, one in accounts.items()} == {
        "lab": 4096,
        "producer": 4096,
    }
    assert python.list_transactions() == {0: []}
    make_topic(bootstrap, "written")
    producer = confluent_kafka.Producer(librdkafka(bootstrap, enable_idempotence=True))
    producer.produce("written", b"v", partition=0)
    assert producer.flush(20) == 0
    place = kafka.TopicPartition("written", 0)
    (active,) = python.describe_producers([place])[place].active_producers
    assert (active.producer_epoch, active.last_sequence) == (0, 0)


def test_the_newer_group_protocol_is_refused_and_does_not_hang(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "newer")
    settings = {**librdkafka(bootstrap), "group.id": "newer", "group.protocol": "consumer"}
    consumer = confluent_kafka.Consumer(settings)
    consumer.subscribe(["newer"])
    until = time.monotonic() + 20
    error = None
    while error is None and time.monotonic() < until:
        message = consumer.poll(0.5)
        error = message and message.error()
    consumer.close()
    assert error is not None
    assert error.code() == KafkaError._FATAL
    assert "not supported" in error.str()


def test_share_groups_are_refused_and_do_not_hang(bootstrap: Bootstrap) -> None:
    consumer = confluent_kafka.ShareConsumer({**librdkafka(bootstrap), "group.id": "shared"})
    consumer.subscribe(["newer"])

    def ask() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            consumer.poll(0.5)

    assert code_of(ask) == KafkaError.UNSUPPORTED_VERSION
    consumer.close()


@pytest.mark.parametrize("version", [(0, 11), (1, 0), (2, 0), (2, 8)])
def test_a_client_that_speaks_an_older_protocol_is_served(bootstrap: Bootstrap, version: tuple[int, int]) -> None:
    topic = f"older-{version[0]}.{version[1]}"
    make_topic(bootstrap, topic)
    producer = kafka.KafkaProducer(**python_login(bootstrap), api_version=version)
    producer.send(topic, b"v").get(20)
    producer.close()
    reader = kafka.KafkaConsumer(
        topic,
        **python_login(bootstrap),
        api_version=version,
        group_id=topic,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    assert next(reader).value == b"v"
    reader.close()
