"""A broker that asks for a password, and the lab's own clients that know it."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import confluent_kafka
import kafka
import pytest

from medkg_lab import locations, settings
from medkg_lab.broker import engine
from medkg_lab.broker.client import Consumer, Producer, group_listing, read_all, topic_listing
from medkg_lab.broker.errors import BrokerUnreachable
from medkg_lab.broker.topics import ensure_topics
from tests.brokers import BrokerProcess
from tests.waiting import wait_until

PASSWORD = "correct horse"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[BrokerProcess]:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    process = BrokerProcess(tmp_path, "--password-file", str(tmp_path / "password")).start()
    yield process
    process.close()


def confluent(bootstrap: str, password: str) -> Any:
    login = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": settings.BROKER_USER}
    given = {"bootstrap.servers": bootstrap, "sasl.password": password, "log_level": 0, "message.timeout.ms": 5000}
    return confluent_kafka.Producer(given | login)


def python(bootstrap: str, password: str) -> Any:
    return kafka.KafkaProducer(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username=settings.BROKER_USER,
        sasl_plain_password=password,
        bootstrap_timeout_ms=4000,
    )


async def aio(bootstrap: str, password: str) -> int:
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username=settings.BROKER_USER,
        sasl_plain_password=password,
    )
    try:
        await producer.start()
        return int((await producer.send_and_wait("t", b"v")).offset)
    finally:
        await producer.stop()


def test_three_libraries_are_let_in_with_the_password(guarded: BrokerProcess) -> None:
    producer = confluent(guarded.bootstrap, PASSWORD)
    producer.produce("t", b"v")
    assert producer.flush(20) == 0
    other = python(guarded.bootstrap, PASSWORD)
    assert other.send("t", b"v").get(20).offset == 1
    other.close()
    assert asyncio.run(asyncio.wait_for(aio(guarded.bootstrap, PASSWORD), 20)) == 2


def test_none_of_them_is_let_in_with_a_wrong_one(guarded: BrokerProcess) -> None:
    errors: list[Any] = []
    producer = confluent(guarded.bootstrap, "wrong")
    producer.produce("t", b"v", on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert errors[0] is not None
    with pytest.raises(kafka.errors.KafkaError):
        python(guarded.bootstrap, "wrong").send("t", b"v").get(10)
    with pytest.raises(aiokafka.errors.KafkaError):
        asyncio.run(asyncio.wait_for(aio(guarded.bootstrap, "wrong"), 20))


def test_who_does_not_log_in_gets_nothing(guarded: BrokerProcess) -> None:
    with pytest.raises(BrokerUnreachable):
        topic_listing(guarded.bootstrap, timeout=2)
    frame = (3).to_bytes(2) + (1).to_bytes(2) + (1).to_bytes(4) + b"\xff\xff" + (0).to_bytes(4)
    with guarded.connect() as connection:
        connection.sendall(len(frame).to_bytes(4) + frame)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert guarded.bootstrap.rpartition(":")[2].encode() not in answer
    assert int.from_bytes(answer[8:12]) == 0, "no broker is named"


def test_a_labs_own_clients_find_the_password_that_was_made_for_it(tmp_path: Path) -> None:
    at = locations.locate(tmp_path / "home")
    at.create()
    (at.config / "settings.yaml").write_text("broker: {sasl: true, auto_create_topics: false}\n")
    chosen = settings.load(at)
    found = engine.choose(at, chosen)
    assert isinstance(found, engine.EmbeddedEngine)
    assert found.password_file is not None
    assert stat.S_IMODE(found.password_file.stat().st_mode) == 0o600
    options = found.argv()[3:]
    assert options[2:3] == ["--no-auto-create"]
    broker = BrokerProcess(tmp_path, *options)
    try:
        broker.start()
        address = chosen.bootstrap(at)
        assert found.password_file.read_text() not in repr(address)
        assert ensure_topics(address)
        with Producer(address) as producer:
            producer.send("ingest.requests.v1", b"v")
        assert [record.value for record in read_all(address, "ingest.requests.v1")] == [b"v"]
        with Consumer(address, "g", ["ingest.requests.v1"]) as consumer:
            wait_until(lambda: consumer.poll(0.2), 20, "the record")
            assert group_listing(address)[0]["state"] == "stable"
    finally:
        broker.close()
