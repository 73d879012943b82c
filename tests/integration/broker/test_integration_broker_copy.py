"""Carrying topics over from one engine to another, and the refusal to switch without."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from medkg_lab import locations, settings
from medkg_lab.broker import engine
from medkg_lab.broker.client import Consumer, Producer, group_listing, read_all, topic_listing
from medkg_lab.broker.client_settings import Bootstrap
from medkg_lab.broker.copying import copy
from medkg_lab.broker.errors import CopyRefused, EngineMismatch
from medkg_lab.lab.engines import move, running
from medkg_lab.lab.facade import Lab
from tests.brokers import BrokerProcess, librdkafka, make_topic, send_each
from tests.redpandas import make_fake
from tests.waiting import wait_until


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[BrokerProcess, BrokerProcess]]:
    processes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        processes.append(BrokerProcess(tmp_path / name).start())
    yield processes[0], processes[1]
    for process in processes:
        process.close()


def fill(bootstrap: Bootstrap) -> None:
    make_topic(bootstrap, "t", 2, retention_ms="1234567890", segment_bytes="4096")
    with Producer(bootstrap, linger_ms=0) as producer:
        for number in range(40):
            producer.send("t", b"%d" % number, key=b"k", headers=[("h", b"%d" % number)], timestamp=1000 + number)
        producer.send("t", None, partition=1)


def read_some(bootstrap: Bootstrap, count: int) -> None:
    with Consumer(bootstrap, "g", ["t"]) as consumer:
        records = []
        wait_until(lambda: records.extend(consumer.poll(0.2)) or len(records) >= 41, 20, "the records")
        (partition,) = {record.partition for record in records if record.key}
        consumer.commit([record for record in records if record.partition == partition][:count])


def test_records_settings_and_positions_are_the_same_on_the_other_side(
    two: tuple[BrokerProcess, BrokerProcess],
) -> None:
    source, target = (one.bootstrap for one in two)
    fill(source)
    read_some(source, 7)
    done = copy(source, target, lambda _: None)
    assert [(one.topic, one.partitions, one.records) for one in done] == [("t", 2, 41)]
    assert sorted(read_all(target, "t"), key=lambda one: (one.partition, one.offset)) == sorted(
        read_all(source, "t"), key=lambda one: (one.partition, one.offset)
    )
    assert [one.committed for one in group_listing(target)] == [one.committed for one in group_listing(source)]


def test_positions_follow_their_records_when_the_beginning_is_gone(two: tuple[BrokerProcess, BrokerProcess]) -> None:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    source, target = (one.bootstrap for one in two)
    make_topic(source, "t")
    send_each(source, "t", *(b"%d" % number for number in range(10)))
    with Consumer(source, "g", ["t"]) as consumer:
        records = []
        wait_until(lambda: records.extend(consumer.poll(0.2)) or len(records) >= 10, 20, "the records")
        consumer.commit(records[:6])
    place = TopicPartition("t", 0, 4)
    admin = AdminClient({**librdkafka(source)})
    admin.delete_records([place])[place].result(20)
    assert topic_listing(source)[0].first == 4
    assert copy(source, target, lambda _: None)[0].records == 6
    assert group_listing(target)[0].committed == 2


def test_a_target_with_records_is_not_touched(two: tuple[BrokerProcess, BrokerProcess]) -> None:
    source, target = (one.bootstrap for one in two)
    fill(source)
    make_topic(target, "t")
    send_each(target, "t", b"mine")
    with pytest.raises(CopyRefused, match="has records already"):
        copy(source, target, lambda _: None)
    assert [record.value for record in read_all(target, "t")] == [b"mine"]


@pytest.mark.full
def test_a_lab_changes_its_engine_only_by_copying(tmp_path: Path) -> None:
    make_fake(tmp_path / "redpanda")
    at = locations.locate(tmp_path / "home")
    at.create()

    def configure(name: str) -> None:
        chosen = {"broker": {"engine": name, "redpanda_home": str(tmp_path / "redpanda")}}
        (at.config / "settings.yaml").write_text(yaml.safe_dump(chosen))

    configure("embedded")
    embedded = engine.choose(at, settings.load(at))
    with running(embedded) as address:
        fill(address)
    configure("redpanda")
    with pytest.raises(EngineMismatch, match="broker copy --from embedded --to redpanda"):
        engine.choose(at, settings.load(at))
    (done,) = move(Lab(at), "embedded", "redpanda", lambda _: None)
    assert done.records == 41
    assert json.loads((at.data / "broker/engine.json").read_text()) == {"engine": "redpanda"}
    redpanda = engine.choose(at, settings.load(at))
    with running(redpanda) as address:
        assert len(list(read_all(address, "t"))) == 41
