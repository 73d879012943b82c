"""The lab's own clients against a running broker."""

import os
import signal
from dataclasses import asdict
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from medkg_lab import locations, settings
from medkg_lab.broker import engine, probe
from medkg_lab.broker.client import Consumer, Producer, Record, group_listing, produce, read_all, tail, topic_listing
from medkg_lab.broker.errors import (
    BrokerUnreachable,
    DeliveryFailed,
    TopicNotChanged,
    TopicNotMade,
    TopicOutOfOrder,
    UnknownTopic,
)
from medkg_lab.broker.listing import GroupPosition, PartitionOffsets
from medkg_lab.broker.topics import TopicMaker, Topics, chosen_topics, lab_topics
from medkg_lab.errors import LabError
from medkg_lab.settings import Settings
from tests.brokers import BrokerProcess, ensure_topics, librdkafka, make_topic, only_loopback, send_each, wait_for_log
from tests.waiting import wait_until


def collect(consumer: Consumer, count: int) -> list[Record]:
    records: list[Record] = []
    wait_until(lambda: records.extend(consumer.poll(0.2)) or len(records) >= count, 20, f"{count} records")
    return records


def test_the_labs_topics_are_made_once_with_their_settings(broker: BrokerProcess) -> None:
    broker.start()
    names = [spec.name for spec in lab_topics("x.")]
    assert ensure_topics(broker.bootstrap, "x.") == names
    assert ensure_topics(broker.bootstrap, "x.") == []
    partitions = [(one.topic, one.partition) for one in topic_listing(broker.bootstrap)]
    assert partitions == sorted((spec.name, number) for spec in lab_topics("x.") for number in range(spec.partitions))


def retention(broker: BrokerProcess, topic: str) -> tuple[str, ...]:
    """When the records of a topic go, by age in ms and by size, and how large its files are."""
    admin, asked = AdminClient(librdkafka(broker.bootstrap)), ConfigResource(ResourceType.TOPIC, topic)
    found = admin.describe_configs([asked])[asked].result(20)
    return tuple(found[name].value for name in ("retention.ms", "retention.bytes", "segment.bytes"))


def test_topics_that_are_there_get_the_retention_that_is_wanted_and_keep_the_rest(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, Topics().events, 4, segment_bytes="4096", retention_ms="5000")
    wanted = chosen_topics(Settings.model_validate({"retention": {"topic_days": 3, "topic_mib": 2}}))
    maker = TopicMaker(broker.bootstrap, wanted)
    maker.make_missing(20)
    assert maker.align(20) == [Topics().events]
    assert maker.align(20) == []
    assert retention(broker, Topics().events) == (str(3 * 24 * 3600 * 1000), str(2 * 2**20), "4096")
    assert retention(broker, Topics().ledger_log)[:2] == (str(60 * 24 * 3600 * 1000), str(4096 * 2**20))
    assert sorted(TopicMaker(broker.bootstrap, lab_topics()).align(20)) == [Topics().deadletter, Topics().events]
    with pytest.raises(TopicNotChanged, match=r"other\.ingest"):
        TopicMaker(broker.bootstrap, lab_topics("other.")).align(20)
    broker.stop()
    with pytest.raises(LabError):
        maker.align(2)


def test_a_topic_whose_order_would_be_lost_or_that_cannot_be_made_is_reported(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, Topics("").ledger_log, 2)
    with pytest.raises(TopicOutOfOrder, match=r"ledger\.log\.v1 has 2"):
        ensure_topics(broker.bootstrap)
    with pytest.raises(TopicNotMade):
        ensure_topics(broker.bootstrap, "no spaces ")


def test_records_come_back_as_they_were_sent(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t", 2)
    sent: list[Record] = []
    with Producer(broker.bootstrap) as producer:
        for number in range(50):
            headers = {"ce_id": b"%d" % number, "empty": None}
            producer.send(
                "t", b"%d" % number, key=b"job", headers=headers, timestamp=1000 + number, on_delivery=sent.append
            )
        producer.send("t", None, key=b"job")
    assert [record.offset for record in sent] == list(range(50))
    with Consumer(broker.bootstrap, "g", ["t"]) as consumer:
        records = collect(consumer, 51)
        consumer.commit(records[:31])
    assert [record.value for record in records] == [*(b"%d" % number for number in range(50)), None]
    assert records[7].header("ce_id") == b"7"
    assert records[7].header("other") is None
    assert (records[7].key, records[7].timestamp) == (b"job", 1007)
    with Consumer(broker.bootstrap, "g", ["t"]) as consumer:
        assert collect(consumer, 20)[0].offset == 31


def test_listings_show_what_there_is(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    assert asdict(produce(broker.bootstrap, "t", b"1", key=b"k", headers=[("h", b"\xff")])) == {
        "topic": "t",
        "partition": 0,
        "offset": 0,
    }
    produce(broker.bootstrap, "t", b"2")
    assert topic_listing(broker.bootstrap) == [PartitionOffsets("t", partition=0, first=0, next=2)]
    with Consumer(broker.bootstrap, "g", ["t"], client_id="me") as consumer:
        consumer.commit(collect(consumer, 2)[:1])
        (group,) = group_listing(broker.bootstrap)
    assert group == GroupPosition("g", "stable", ["me"], "t", partition=0, committed=1, lag=1)
    assert group_listing(broker.bootstrap)[0].state == "empty"


def test_the_tail_and_the_whole_of_a_topic(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t", 3)
    with Producer(broker.bootstrap) as producer:
        for number in range(30):
            producer.send("t", b"%d" % number, key=b"%d" % number, timestamp=number + 1)
    assert [record.value for record in tail(broker.bootstrap, "t", 4)] == [b"26", b"27", b"28", b"29"]
    assert sorted(int(record.value or b"") for record in read_all(broker.bootstrap, "t")) == list(range(30))
    make_topic(broker.bootstrap, "nothing")
    assert tail(broker.bootstrap, "nothing", 4) == list(read_all(broker.bootstrap, "nothing")) == []
    for name in ("elsewhere", "no name"):
        with pytest.raises(UnknownTopic):
            tail(broker.bootstrap, name, 1)
        with pytest.raises(UnknownTopic):
            produce(broker.bootstrap, name, b"v")
    assert {one.topic for one in topic_listing(broker.bootstrap)} == {"t", "nothing"}
    shown = Record("t", 0, 1, 2, b"\xff", None, (("h", b"v"),)).as_text()
    assert (shown.key, shown.value, shown.headers) == ("\ufffd", None, [("h", "v")])


def test_without_a_broker_every_call_says_so_and_the_terminal_stays_clean(
    broker: BrokerProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    producer = Producer(broker.bootstrap, timeout=2)
    producer.send("t", b"kept")
    producer.flush()
    broker.kill()
    producer.send("t", b"lost")
    with pytest.raises(DeliveryFailed, match="1 of the events"):
        producer.flush(1)
    assert len(producer) == 0
    for call in (
        lambda: topic_listing(broker.bootstrap, 1),
        lambda: group_listing(broker.bootstrap, 1),
        lambda: tail(broker.bootstrap, "t", 1, 1),
        lambda: produce(broker.bootstrap, "t", b"v", timeout=1),
        lambda: ensure_topics(broker.bootstrap, timeout=1),
        lambda: probe.metadata(str(broker.bootstrap), 1),
    ):
        with pytest.raises(BrokerUnreachable):
            call()
    with Consumer(broker.bootstrap, "g", ["t"]) as consumer:
        assert consumer.poll(0.5) == []
    assert capfd.readouterr().err == ""


def test_a_consumer_waits_for_a_topic_that_is_not_there_yet(broker: BrokerProcess) -> None:
    broker.start()
    with Consumer(broker.bootstrap, "g", ["later"]) as consumer:
        assert consumer.poll(1) == []
        make_topic(broker.bootstrap, "later")
        send_each(broker.bootstrap, "later", b"v")
        assert [record.value for record in collect(consumer, 1)] == [b"v"]


def test_the_address_of_an_external_engine_is_where_its_broker_answers(
    open_broker: BrokerProcess, tmp_path: Path
) -> None:
    broker = open_broker.start()
    chosen = settings.Settings.model_validate({"broker": {"engine": "external", "bootstrap": str(broker.bootstrap)}})
    external = engine.choose(locations.locate(tmp_path / "home"), chosen)
    assert probe.metadata(str(external.address)).brokers == {0: str(broker.bootstrap)}
    broker.kill()
    with pytest.raises(BrokerUnreachable):
        probe.metadata(str(external.address), 1)


def test_a_clean_stop_keeps_everything_and_spares_the_next_start_the_reading(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    send_each(broker.bootstrap, "t", b"0", b"1", b"2")
    with Consumer(broker.bootstrap, "g", ["t"]) as consumer:
        consumer.commit(collect(consumer, 2)[:2])
    assert broker.stop() == 0
    assert (broker.data / "topics/t/0/checkpoint.json").exists()
    broker.start()
    assert broker.facts["cut_bytes"] == 0
    assert [record.value for record in tail(broker.bootstrap, "t", 9)] == [b"0", b"1", b"2"]
    assert group_listing(broker.bootstrap)[0].committed == 2
    assert produce(broker.bootstrap, "t", b"3").offset == 3


def test_a_stop_ends_waiting_readers_at_once(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    with Consumer(broker.bootstrap, "g", ["t"]) as consumer:
        wait_until(lambda: consumer.poll(0.1) or consumer.assignment(), 20, "the assignment")
        assert broker.stop() == 0


def test_files_are_private_and_the_port_is_loopback_alone(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    produce(broker.bootstrap, "t", b"v")
    for path in [broker.data, *broker.data.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert only_loopback(broker.process.pid)


def test_retention_runs_by_itself(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path, "--housekeeping-seconds", "0.1").start()
    try:
        make_topic(broker.bootstrap, "t", retention_bytes="5000", segment_bytes="2000")
        send_each(broker.bootstrap, "t", *[b"x" * 1000] * 12)
        # One record of about 1,070 bytes fills a file, so five files are the fewest that still hold 5,000 bytes.
        wait_until(lambda: topic_listing(broker.bootstrap)[0].first == 7, 10, "retention")
        assert topic_listing(broker.bootstrap)[0].next == 12
        assert len(broker.segments("t")) == 5
    finally:
        broker.close()


def test_a_stopped_broker_that_is_resumed_goes_on(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t")
    os.kill(broker.process.pid, signal.SIGSTOP)
    producer = Producer(broker.bootstrap)
    producer.send("t", b"v")
    os.kill(broker.process.pid, signal.SIGCONT)
    producer.flush()
    assert topic_listing(broker.bootstrap)[0].next == 1


def test_a_deletion_that_a_crash_interrupted_is_finished(broker: BrokerProcess) -> None:
    import sqlite3

    broker.start()
    make_topic(broker.bootstrap, "going")
    produce(broker.bootstrap, "going", b"v")
    broker.kill()
    with sqlite3.connect(broker.data / "meta.sqlite") as meta:
        meta.execute("update topic set deleting = 1")
    broker.start()
    assert topic_listing(broker.bootstrap) == []
    assert not (broker.data / "topics/going").exists()


def test_files_that_belong_to_no_topic_are_left_alone(broker: BrokerProcess) -> None:
    left = broker.data / "topics/unknown/0"
    left.mkdir(parents=True)
    (left / f"{0:020d}.log").write_bytes(b"somebody's records")
    broker.start()
    wait_for_log(broker, "belongs to no topic")
    with pytest.raises(Exception, match="unknown topic"):
        make_topic(broker.bootstrap, "unknown")
    assert (left / f"{0:020d}.log").read_bytes() == b"somebody's records"
