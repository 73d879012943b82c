"""Who is let in and what they may do there, with real clients and with bare requests."""

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import aiokafka
import confluent_kafka
import kafka
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from kio.index import load_request_schema
from kio.schema.errors import ErrorCode

from medkg_lab import credentials, locations, settings
from medkg_lab.broker import engine
from medkg_lab.broker.address import Address, scram_login
from medkg_lab.broker.client import Consumer, Producer, group_listing, produce, read_all, topic_listing
from medkg_lab.broker.embedded import codec
from medkg_lab.broker.embedded.engine import EmbeddedEngine
from medkg_lab.broker.embedded.handlers.registry import APIS, OPEN
from medkg_lab.broker.engine import broker_address
from medkg_lab.broker.errors import BrokerUnreachable, DeliveryFailed
from medkg_lab.broker.removals import REMOVALS, removals
from medkg_lab.broker.topics import LEDGER_LOG, REQUESTS
from medkg_lab.settings import SettingsInvalid
from tests.brokers import (
    LAB,
    PRODUCER,
    BrokerProcess,
    ensure_topics,
    librdkafka,
    make_topic,
    python_login,
    record_batch,
    send_each,
    wait_for_log,
)
from tests.kafka_frames import ask, error_codes, log_in, log_in_bare
from tests.waiting import wait_until

REFUSED = {
    ErrorCode.topic_authorization_failed,
    ErrorCode.group_authorization_failed,
    ErrorCode.cluster_authorization_failed,
}
NOTHING_TO_REFUSE = {
    "consumer_group_heartbeat": 68,
    "share_group_heartbeat": 76,
    "describe_transactions": 65,
    "list_transactions": 66,
    "list_groups": 16,
}
"""APIs that nobody gets anything from, or whose answer leaves out what the account may not see."""


@pytest.fixture
def lab_topics(broker: BrokerProcess) -> BrokerProcess:
    """A running broker with the lab's topics and a group."""
    broker.start()
    ensure_topics(broker.bootstrap)
    produce(broker.bootstrap, REQUESTS, b"mine")
    with Consumer(broker.bootstrap, "medkg-intake", [REQUESTS]) as consumer:
        wait_until(lambda: consumer.poll(0.2), 20, "the record")
    return broker


def wrong(broker: BrokerProcess) -> Address:
    """The address with a password that is not the lab's."""
    return Address(str(broker.bootstrap), tuple(scram_login(LAB, "x" * 20).items()))


async def aio(address: Address, topic: str) -> int:
    producer = aiokafka.AIOKafkaProducer(**python_login(address))
    try:
        await producer.start()
        return int((await producer.send_and_wait(topic, b"v")).offset)
    finally:
        await producer.stop()


@pytest.mark.parametrize("account", [LAB, PRODUCER])
def test_three_libraries_write_requests(lab_topics: BrokerProcess, account: str) -> None:
    address = lab_topics.address(account)
    producer = confluent_kafka.Producer(librdkafka(address, enable_idempotence=True))
    producer.produce(REQUESTS, b"v")
    assert producer.flush(20) == 0
    other = kafka.KafkaProducer(**python_login(address))
    other.send(REQUESTS, b"v").get(20)
    other.close()
    asyncio.run(asyncio.wait_for(aio(address, REQUESTS), 20))
    assert len(list(read_all(lab_topics.bootstrap, REQUESTS))) == 4


INIT_PRODUCER_ID, PRODUCE, NO_TRANSACTION = 22, 0, {"transactional_id": None, "transaction_timeout": 0}


def write(connection: socket.socket, *producer: int) -> ErrorCode:
    """The answer to one request, on partition 0, of the idempotent producer with this id, epoch and sequence number."""
    return write_batch(connection, record_batch([b"swallowed"], producer=(producer[0], producer[1], producer[2])))


def write_batch(connection: socket.socket, records: bytes) -> ErrorCode:
    """The answer to a batch for partition 0."""
    topic = {"name": REQUESTS, "partition_data": [{"index": 0, "records": records}]}
    values = {"transactional_id": None, "acks": -1, "timeout": 1000, "topic_data": [topic]}
    return ErrorCode(ask(connection, PRODUCE, 9, values).responses[0].partition_responses[0].error_code)


def test_a_producer_cannot_pass_for_another_that_writes(lab_topics: BrokerProcess) -> None:
    """Who writes under the id that the lab's next producer gets would have its records taken for repeated ones."""
    with lab_topics.connect() as connection:
        assert log_in(connection, PRODUCER, lab_topics.passwords[PRODUCER]) == ErrorCode.none
        own = ask(connection, INIT_PRODUCER_ID, 2, NO_TRANSACTION).producer_id
        assert write(connection, own, 0, 0) == ErrorCode.none
        others = {write(connection, number, 0, 0) for number in range(own - 1, own + 41, 2)}
        assert others == {ErrorCode.cluster_authorization_failed}
        for number in range(own + 2, own + 42, 2):
            write(connection, number, 0, 0)
    before = len(list(read_all(lab_topics.bootstrap, REQUESTS)))
    for number in range(8):
        send_each(lab_topics.bootstrap, REQUESTS, f"request {number}".encode())
    assert len(list(read_all(lab_topics.bootstrap, REQUESTS))) == before + 8


@pytest.mark.parametrize("compression", [1, 2, 3, 4])
def test_a_producers_records_do_not_swell(broker: BrokerProcess, compression: int) -> None:
    """What is small here and large for who reads it would take all of the intake's memory, again after every start."""
    requests = [b'{"source": "pmc", "key": "PMC%d"}' % number for number in range(5000)]
    broker.start()
    ensure_topics(broker.bootstrap)
    with broker.connect() as connection:
        assert log_in(connection, PRODUCER, broker.passwords[PRODUCER]) == ErrorCode.none
        swelling = record_batch([bytes(32 << 20)], compression=compression)
        assert write_batch(connection, swelling) == ErrorCode.invalid_record
        assert write_batch(connection, record_batch(requests, compression=compression)) == ErrorCode.none
    assert len(list(read_all(broker.bootstrap, REQUESTS))) == len(requests)


def test_none_of_them_is_let_in_with_a_wrong_password(lab_topics: BrokerProcess) -> None:
    errors: list[Any] = []
    producer = confluent_kafka.Producer(librdkafka(wrong(lab_topics), message_timeout_ms=3000))
    producer.produce(REQUESTS, b"v", on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert errors[0] is not None
    with pytest.raises(kafka.errors.KafkaError):
        kafka.KafkaProducer(**python_login(wrong(lab_topics)), bootstrap_timeout_ms=3000).send(REQUESTS, b"v").get(10)
    with pytest.raises(aiokafka.errors.KafkaError):
        asyncio.run(asyncio.wait_for(aio(wrong(lab_topics), REQUESTS), 20))
    with pytest.raises(BrokerUnreachable):
        topic_listing(str(lab_topics.bootstrap), timeout=2)
    assert lab_topics.log().count("not let in") < 5, "lines that repeat are counted"


def test_who_does_not_log_in_gets_nothing(broker: BrokerProcess) -> None:
    broker.start()
    frame = (3).to_bytes(2) + (1).to_bytes(2) + (1).to_bytes(4) + b"\xff\xff" + (0).to_bytes(4)
    with broker.connect() as connection:
        connection.sendall(len(frame).to_bytes(4) + frame)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert int.from_bytes(answer[8:12]) == 0, "no broker is named"


def test_older_clients_log_in_without_requests_around_it(broker: BrokerProcess) -> None:
    broker.start()
    with broker.connect() as connection:
        log_in_bare(connection, LAB, broker.passwords[LAB])
        assert ask(connection, METADATA, 1, {"topics": []}).brokers[0].port == int(str(broker.bootstrap)[10:])
    with broker.connect() as connection, pytest.raises((ValueError, KeyError, OSError)):
        log_in_bare(connection, LAB, "x" * 20)


def sample(schema: type, names: dict[str, Any]) -> dict[str, Any]:
    """A value for every field, with the lab's topics, groups and broker wherever something is named."""
    return {field.name: _value(field, names) for field in codec._fields(schema) if not field.tagged}


def _value(field: Any, names: dict[str, Any]) -> Any:
    if field.nested:
        element: Any = sample(field.nested, names)
    else:
        blanks = {"bool": False, "bytes": b"", "records": b"", "string": LEDGER_LOG, "uuid": codec.uuid.UUID(int=0)}
        element = names.get(field.name, blanks.get(field.kafka_type, 0))
    return [element] if field.array else element


def test_a_producer_is_refused_whatever_it_asks_for_beyond_its_topic(lab_topics: BrokerProcess) -> None:
    names = {"group_id": "medkg-intake", "groups": "medkg-intake", "groups_names": "medkg-intake"}
    names |= {"key": "medkg-intake", "coordinator_keys": "medkg-intake", "acks": -1, "transactional_id": None}
    names |= {"resource_type": TOPIC_SETTINGS, "resource_types": TOPIC_SETTINGS}
    before = topic_listing(lab_topics.bootstrap), group_listing(lab_topics.bootstrap)
    with lab_topics.connect() as connection:
        assert log_in(connection, PRODUCER, lab_topics.passwords[PRODUCER]) == ErrorCode.none
        for key in sorted(set(APIS) - OPEN - {INIT_PRODUCER_ID, DESCRIBE_CLUSTER, *NOTHING_TO_REFUSE.values()}):
            for version in range(APIS[key].low, APIS[key].high + 1):
                schema = load_request_schema(key, version)
                codes = set(error_codes(ask(connection, key, version, sample(schema, names))))
                assert codes & REFUSED or _has_no_code(key, version), (key, version, codes)
                assert codes <= REFUSED | {ErrorCode.none}, (key, version, codes)
        for key in NOTHING_TO_REFUSE.values():
            answer = ask(connection, key, APIS[key].low, sample(load_request_schema(key, APIS[key].low), names))
            assert "medkg-intake" not in repr(answer)
    assert (topic_listing(lab_topics.bootstrap), group_listing(lab_topics.bootstrap)) == before
    assert removals(lab_topics.data / REMOVALS) == []


METADATA, TOPIC_SETTINGS = 3, 2
INIT_PRODUCER_ID, DESCRIBE_CLUSTER, DESCRIBE_LOG_DIRS, ELECT_LEADERS = 22, 60, 35, 43


def _has_no_code(key: int, version: int) -> bool:
    """Whether the answer has no place for an error beside its lists, which stay empty."""
    return (key, version) in {(DESCRIBE_LOG_DIRS, 1), (DESCRIBE_LOG_DIRS, 2), (ELECT_LEADERS, 0)}


def test_a_producer_sees_its_topic_alone(lab_topics: BrokerProcess) -> None:
    address = lab_topics.address(PRODUCER)
    assert {entry.topic for entry in topic_listing(address)} == {REQUESTS}
    assert group_listing(address) == []
    admin = AdminClient(librdkafka(address))
    with pytest.raises(KafkaException) as caught:
        admin.create_topics([NewTopic("new", 1)])["new"].result(20)
    assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    reader = confluent_kafka.Consumer(librdkafka(address, group_id="medkg-intake", auto_offset_reset="earliest"))
    reader.subscribe([REQUESTS])
    codes: list[int] = []
    wait_until(lambda: codes or _noted(reader.poll(0.5), codes), 20, "a refusal")
    assert codes[0] == KafkaError.GROUP_AUTHORIZATION_FAILED
    reader.close()
    with pytest.raises(DeliveryFailed, match=r"(?i)authorization"):
        with Producer(address, timeout=5) as producer:
            producer.send(LEDGER_LOG, b"forged")
    assert not list(read_all(lab_topics.bootstrap, LEDGER_LOG))


def _noted(message: Any, codes: list[int]) -> None:
    if message is not None and message.error() is not None:
        codes.append(message.error().code())


def test_a_producer_makes_no_topic_by_asking_for_it(lab_topics: BrokerProcess) -> None:
    producer = confluent_kafka.Producer(librdkafka(lab_topics.address(PRODUCER), message_timeout_ms=3000))
    errors: list[Any] = []
    producer.produce("another", b"v", on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert errors[0] is not None
    assert "another" not in {entry.topic for entry in topic_listing(lab_topics.bootstrap)}


def test_what_is_deleted_from_the_labs_topics_is_noted(lab_topics: BrokerProcess) -> None:
    make_topic(lab_topics.bootstrap, "other")
    produce(lab_topics.bootstrap, LEDGER_LOG, b"v")
    admin = AdminClient(librdkafka(lab_topics.bootstrap))
    place = confluent_kafka.TopicPartition(LEDGER_LOG, 0, -1)
    admin.delete_records([place])[place].result(20)
    for topic in ("other", REQUESTS):
        admin.delete_topics([topic])[topic].result(20)
    found = [(one.topic, one.partition, one.records, one.account) for one in removals(lab_topics.data / REMOVALS)]
    assert found == [(LEDGER_LOG, 0, 1, LAB), (REQUESTS, None, 1, LAB)]
    assert stat.S_IMODE((lab_topics.data / REMOVALS).stat().st_mode) == 0o600


def test_topics_that_are_not_the_labs_have_their_bounds(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path, "--max-other-bytes", "100000").start()
    try:
        make_topic(broker.bootstrap, "other")
        produce(broker.bootstrap, "other", b"x" * 60_000)
        with pytest.raises(DeliveryFailed, match=r"(?i)policy"):
            produce(broker.bootstrap, "other", b"x" * 60_000, timeout=5)
        ensure_topics(broker.bootstrap)
        produce(broker.bootstrap, REQUESTS, b"x" * 60_000)
        admin = AdminClient(librdkafka(broker.bootstrap))
        with pytest.raises(KafkaException):
            for number in range(8):
                admin.create_topics([NewTopic(f"m{number}", 256)])[f"m{number}"].result(20)
        admin.delete_topics([LEDGER_LOG])[LEDGER_LOG].result(20)
        assert ensure_topics(broker.bootstrap) == [LEDGER_LOG]
    finally:
        broker.close()


def test_the_labs_topics_are_not_made_by_asking_for_them(broker: BrokerProcess) -> None:
    broker.start()
    producer = confluent_kafka.Producer(librdkafka(broker.bootstrap, message_timeout_ms=3000))
    errors: list[Any] = []
    producer.produce(LEDGER_LOG, b"v", on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert errors[0] is not None
    assert topic_listing(broker.bootstrap) == []


def test_a_topic_that_was_only_asked_for_keeps_within_a_size(broker: BrokerProcess) -> None:
    broker.start()
    producer = confluent_kafka.Producer(librdkafka(broker.bootstrap))
    producer.produce("asked-for", b"v")
    assert producer.flush(20) == 0
    resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ResourceType.TOPIC, "asked-for")
    admin = AdminClient(librdkafka(broker.bootstrap))
    found = admin.describe_configs([resource])[resource].result(20)
    assert int(found["retention.bytes"].value) == 256 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "mode"), [("short", 0o600), ("has a blank in the middle", 0o600), ("", 0o600), ("x" * 32, 0o640)]
)
def test_a_password_that_others_know_or_guess_is_not_taken(tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / "own.password"
    path.write_text(text)
    path.chmod(mode)
    broker = BrokerProcess(tmp_path, "--producer-password-file", str(path))
    with pytest.raises(AssertionError, match=r"ended with 78: (.|\n)*cannot be used"):
        broker.start()
    broker.close()


def test_a_broker_is_not_open_by_accident(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path)
    broker.options = ()
    with pytest.raises(AssertionError, match="ended with 2"):
        broker.start()
    broker.close()
    assert "--no-authentication" in broker.log()


def test_a_labs_own_clients_find_the_passwords_that_were_made_for_it(tmp_path: Path) -> None:
    at = locations.locate(tmp_path / "home")
    at.create()
    (at.config / "settings.yaml").write_text("broker: {auto_create_topics: false, topic_prefix: -x.}\n")
    chosen = settings.load(at)
    found = engine.choose(at, chosen)
    assert isinstance(found, EmbeddedEngine)
    assert found.password_files is not None
    assert stat.S_IMODE(found.password_files.lab.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.password_files.producer.stat().st_mode) == 0o600
    broker = BrokerProcess(tmp_path)
    broker.options = tuple(found.argv()[6:-2])
    assert "--no-auto-create" in broker.options
    try:
        broker.start()
        address = Address(str(broker.bootstrap), broker_address(chosen, at).security)
        assert found.password_files.lab.read_text() not in repr(broker_address(chosen, at))
        assert ensure_topics(address, "-x.")
        login = scram_login(PRODUCER, found.password_files.producer.read_text())
        with Producer(Address(str(broker.bootstrap), tuple(login.items()))) as producer:
            producer.send("-x.ingest.requests.v1", b"v")
        assert [record.value for record in read_all(address, "-x.ingest.requests.v1")] == [b"v"]
    finally:
        broker.close()


@pytest.mark.parametrize("given", ["absolute", "relative"])
def test_a_pinned_password_is_the_producers_own(tmp_path: Path, given: str) -> None:
    at = locations.locate(tmp_path / "home")
    at.create()
    own = tmp_path / "producer.password" if given == "absolute" else at.config / "producer.password"
    name = own if given == "absolute" else own.name
    (at.config / "settings.yaml").write_text(f"broker: {{producer_password_file: {name}}}\n")
    found = engine.choose(at, settings.load(at))
    assert isinstance(found, EmbeddedEngine)
    assert found.password_files is not None
    assert found.password_files.producer == own
    assert found.password_files.lab == credentials.password_file(at, LAB)


@pytest.mark.parametrize("value", ["true", "false"])
def test_the_setting_of_earlier_versions_is_explained(tmp_path: Path, value: str) -> None:
    at = locations.locate(tmp_path / "home")
    at.create()
    (at.config / "settings.yaml").write_text(f"broker: {{sasl: {value}}}\n")
    with pytest.raises(SettingsInvalid, match="authentication"):
        settings.load(at)


def test_none_is_a_choice_that_is_said_aloud(tmp_path: Path) -> None:
    at = locations.locate(tmp_path / "home")
    at.create()
    (at.config / "settings.yaml").write_text("broker: {authentication: none}\n")
    chosen = settings.load(at)
    found = engine.choose(at, chosen)
    assert "every user" in found.details()["access"]
    assert broker_address(chosen, at).security == ()
    broker = BrokerProcess(tmp_path, open_to_all=True).start()
    wait_for_log(broker, "nobody is asked to log in")
    broker.close()
