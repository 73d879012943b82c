"""The smaller parts: settings of topics, the choice of engine, the probe, the lab's topics, offsets and ids on disk."""

import asyncio
import json
import socket
import struct
import threading
from pathlib import Path

import pytest

from medkg_lab import locations, settings
from medkg_lab.broker import engine, probe
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import MetaDamaged, Refused
from medkg_lab.broker.embedded.meta import Committed, Meta
from medkg_lab.broker.embedded.requests import ConfigValue
from medkg_lab.broker.embedded.topic_config import TopicConfig, by_name, effective
from medkg_lab.broker.errors import (
    BadBrokerSetting,
    BrokerUnreachable,
    EngineMismatch,
    EngineRecordDamaged,
    UnknownEngine,
)
from medkg_lab.broker.topics import Topics, chosen_topics, lab_topics


def test_topic_settings_are_read_as_kafka_names_them() -> None:
    config = TopicConfig.parse({"retention.bytes": "5", "segment.ms": "9", "cleanup.policy": "delete"})
    assert (config.retention_bytes, config.segment_ms) == (5, 9)
    assert effective({"retention.bytes": "5"})["retention.bytes"] == ("5", False)
    assert effective({})["cleanup.policy"] == ("delete", True)


@pytest.mark.parametrize(
    ("policy", "deletes"), [("delete", True), ("compact", False), ("delete,compact", True), ("", False)]
)
def test_only_a_topic_that_may_delete_does(policy: str, deletes: bool) -> None:
    assert TopicConfig.parse({"cleanup.policy": policy}).deletes is deletes
    assert TopicConfig.parse({}).deletes


def test_settings_without_effect_are_kept_and_told() -> None:
    given = {"compression.type": "gzip", "file.delete.delay.ms": "12345"}
    assert TopicConfig.parse(given) == TopicConfig()
    assert {name: effective(given)[name] for name in given} == {
        "compression.type": ("gzip", False),
        "file.delete.delay.ms": ("12345", False),
    }


@pytest.mark.parametrize(
    "given",
    [
        {"cleanup.policy": "shrink"},
        {"compression.type": "rar"},
        {"message.timestamp.type": "LogAppendTime"},
        {"min.insync.replicas": "2"},
        {"flush.ms": "soon"},
        {"no.such.setting": "1"},
        {"retention.ms": "soon"},
        {"segment.bytes": "1"},
    ],
)
def test_topic_settings_that_are_not_offered_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        TopicConfig.parse(given)
    assert caught.value.code is Code.INVALID_CONFIG


@pytest.mark.parametrize("name", ["cleanup.policy", "retention.ms"])
def test_a_setting_without_a_value_is_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        by_name([ConfigValue(name=name, value=None)])
    assert caught.value.code is Code.INVALID_CONFIG


def test_every_topic_of_the_lab_has_settings_that_the_broker_takes_and_a_name() -> None:
    specs = lab_topics("demo.")
    assert all(TopicConfig.parse(spec.config).retention_bytes > 0 for spec in specs)
    topics = Topics("demo.")
    named = {topics.requests, topics.deadletter, topics.pdf_requests, topics.events, topics.ledger_log}
    assert {spec.name for spec in specs} == named
    assert {spec.name: spec.partitions for spec in specs}["demo.ledger.log.v1"] == 1


@pytest.mark.parametrize(("days", "mib"), [(None, None), (1, 1), (30, 8), (1000, 100_000)])
def test_what_the_lab_needs_itself_stays_as_long_as_its_topic_says_or_longer(days: int | None, mib: int | None) -> None:
    given = settings.Settings.model_validate(
        {"broker": {"topic_prefix": "x."}, "retention": {"topic_days": days, "topic_mib": mib}}
    )
    own = {spec.name: spec for spec in lab_topics("x.")}
    found = {spec.name: spec for spec in chosen_topics(given)}
    assert found.keys() == own.keys()
    names = Topics("x.")
    for name in (names.requests, names.pdf_requests, names.ledger_log):
        assert found[name].retention_days == max(own[name].retention_days, days or 0)
        assert found[name].retention_mib == max(own[name].retention_mib, mib or 0)
    for name in (names.events, names.deadletter):
        assert found[name].retention_days == (days or own[name].retention_days)
        assert found[name].retention_mib == (mib or own[name].retention_mib)


@pytest.mark.parametrize(
    "given", [{"topic_days": 0}, {"topic_days": 36_501}, {"topic_mib": 0}, {"log_mib": 0}, {"log_files": 1}]
)
def test_a_retention_that_keeps_nothing_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        settings.RetentionSettings.model_validate(given)


def chosen(home: Path, **broker: str) -> engine.BrokerEngine:
    return engine.choose(locations.locate(home), settings.Settings.model_validate({"broker": broker}))


def test_the_embedded_engine_is_run_and_the_external_one_is_not(tmp_path: Path) -> None:
    embedded = chosen(tmp_path / "one")
    argv = embedded.argv()
    assert argv is not None
    assert argv[1:4] == ["-P", "-m", "medkg_lab.broker.embedded"]
    assert str(embedded.address) == f"127.0.0.1:{argv[argv.index('--port') + 1]}"
    external = chosen(tmp_path / "two", engine="external", bootstrap="kafka:9092")
    assert external.argv() is None
    assert str(external.address) == "kafka:9092"
    assert embedded.durability() != external.durability()


def test_the_engine_is_written_down_and_another_one_is_refused(tmp_path: Path) -> None:
    chosen(tmp_path)
    assert json.loads((tmp_path / "data/broker/engine.json").read_text()) == {"engine": "embedded"}
    assert chosen(tmp_path).name == "embedded"
    with pytest.raises(EngineMismatch, match="embedded"):
        chosen(tmp_path, engine="external", bootstrap="kafka:9092")


def test_an_external_engine_needs_an_address_and_a_damaged_record_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadBrokerSetting):
        chosen(tmp_path, engine="external")
    (tmp_path / "data/broker").mkdir(parents=True)
    (tmp_path / "data/broker/engine.json").write_text("{}")
    with pytest.raises(EngineRecordDamaged):
        chosen(tmp_path)


def test_an_engine_that_no_package_brings_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no engine 'nobody'; there are embedded, external, redpanda"):
        settings.Settings.model_validate({"broker": {"engine": "nobody"}})
    with pytest.raises(UnknownEngine, match="embedded, external, redpanda"):
        engine.named("nobody", locations.locate(tmp_path), settings.Settings())


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack(">iii", 8, 1, 0), struct.pack(">i", 12) + b"\0" * 12],
)
def test_the_probe_tells_a_broker_from_something_else(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(BrokerUnreachable):
            probe.metadata(f"127.0.0.1:{server.getsockname()[1]}", timeout=5)
        thread.join()


def test_the_probe_reports_a_port_where_nobody_listens() -> None:
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1:"):
        probe.metadata("127.0.0.1:1", timeout=1)
    with pytest.raises(BrokerUnreachable, match="no address"):
        probe.metadata(" ")


def test_offsets_and_producer_ids_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "meta.sqlite"
    meta = Meta(path)
    row = Committed("g", "t", 0, 5, "note")
    asyncio.run(meta.run(meta.commit, [row, Committed("g", "gone", 0, 1, "")]))
    asyncio.run(meta.run(meta.put_topic, "gone", 1, {}))
    first = [meta.next_producer_number() for _ in range(3)]
    meta.finish_delete("gone")
    meta.close()
    again = Meta(path)
    assert again.committed() == [row]
    assert again.topics() == []
    assert again.next_producer_number() not in first
    assert again.cluster_id == meta.cluster_id
    again.close()


def test_a_damaged_file_of_offsets_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "meta.sqlite"
    path.write_bytes(b"this is not a database" * 300)
    with pytest.raises(MetaDamaged):
        Meta(path)
