"""The intake's own offsets: what it has read it knows again, and a topic that was made again is read from its beginning."""

import pytest

from medkg_lab.bridge.offsets import PartitionPositions, RecordStatus
from medkg_lab.broker.record import Record

TOPIC = "requests"


def record(offset: int, value: bytes = b"", partition: int = 0) -> Record:
    return Record(TOPIC, partition, offset, 1, b"k", value or f"value {offset}".encode())


def read(upto: int) -> PartitionPositions:
    places = PartitionPositions(TOPIC)
    for offset in range(upto):
        assert places.judge(record(offset)) is RecordStatus.NEW
        places.advance(record(offset))
    return places


def again(places: PartitionPositions) -> PartitionPositions:
    return PartitionPositions(TOPIC, places.bookmark())


def test_it_begins_at_the_last_record_and_knows_it_again() -> None:
    places = again(read(5))
    assert places.starts() == {0: 4}
    assert places.judge(record(4)) is RecordStatus.KNOWN
    assert places.judge(record(5)) is RecordStatus.NEW
    assert places.ends() == {0: 5}


def test_another_record_in_its_place_means_another_topic() -> None:
    places = again(read(5))
    assert places.judge(record(4, b"other")) is RecordStatus.OTHER
    assert places.bookmark()["partitions"] == {}
    assert places.judge(record(0, b"other")) is RecordStatus.NEW


def test_a_shorter_topic_is_read_from_its_beginning() -> None:
    places = again(read(5))
    assert places.judge(record(0)) is RecordStatus.NEW
    places.advance(record(0))
    assert places.ends() == {0: 1}


def test_records_that_were_deleted_before_they_were_read_are_counted() -> None:
    places = again(read(5))
    assert places.judge(record(9)) is RecordStatus.NEW
    assert places.missed == 4


def test_records_that_come_together_are_not_taken_for_deleted() -> None:
    places = read(3)
    assert [places.judge(record(offset)) for offset in (3, 4, 5)] == [RecordStatus.NEW] * 3
    assert places.missed == 0
    assert places.judge(record(8)) is RecordStatus.NEW
    assert places.missed == 2


def test_a_new_partition_is_read_from_its_beginning() -> None:
    places = again(read(5))
    assert places.judge(record(0, partition=7)) is RecordStatus.NEW


@pytest.mark.parametrize(
    "bookmark", [None, {}, {"topic": "other", "partitions": {"0": [5, "x"]}}, {"topic": TOPIC, "partitions": {"0": 5}}]
)
def test_a_bookmark_that_is_not_one_is_none(bookmark: dict[str, object] | None) -> None:
    assert PartitionPositions(TOPIC, bookmark).starts() == {}
