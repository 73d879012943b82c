"""Where the intake stands on each partition of the work queue, and what a record that comes from there is: pure.

The intake's own offsets are the truth, not those that its group has committed, which anybody may move who gets at the broker.
With each offset goes the hash of the record before it: where another record stands in its place, the topic was deleted and made
again, and is read from its beginning.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from medkg_lab.broker.record import Record


@dataclass(frozen=True, slots=True)
class Place:
    """The offset of the next record to read, and the hash of the record before it."""

    next: int
    last: str


class RecordStatus(StrEnum):
    """What a record is: to be read, the one that was read last, or one from a topic that was made again."""

    NEW = "new"
    KNOWN = "known"
    OTHER = "other"


class PartitionPositions:
    """The places on one topic by partition; `missed` counts the records that were gone before they could be read."""

    def __init__(self, topic: str, bookmark: Mapping[str, object] | None = None) -> None:
        """Begin at `bookmark`, unless it is damaged or of another topic."""
        self._topic = topic
        self._places = _read(bookmark) if bookmark is not None and bookmark.get("topic") == topic else {}
        self._unchecked = set(self._places)
        self._expected: dict[int, int] = {}
        self.missed = 0

    def starts(self) -> dict[int, int]:
        """The offset to read from by partition: that of the last record, to see that it still is the same."""
        return {partition: place.next - 1 for partition, place in self._places.items()}

    def judge(self, record: Record) -> RecordStatus:
        """What `record`, the next of its partition, is. OTHER asks for the partition to be read from its beginning."""
        place = self._places.get(record.partition)
        if place is None:
            return RecordStatus.NEW
        checking = record.partition in self._unchecked
        self._unchecked.discard(record.partition)
        if checking and record.offset == place.next - 1:
            if digest(record) == place.last:
                return RecordStatus.KNOWN
            del self._places[record.partition]
            self._expected.pop(record.partition, None)
            return RecordStatus.OTHER
        # Records come in portions, and are judged before those in front of them are done with.
        self.missed += max(0, record.offset - self._expected.get(record.partition, place.next))
        self._expected[record.partition] = record.offset + 1
        return RecordStatus.NEW

    def advance(self, record: Record) -> None:
        """`record` is done with."""
        self._places[record.partition] = Place(record.offset + 1, digest(record))

    def ends(self) -> dict[int, int]:
        """The offset of the next record to read by partition."""
        return {partition: place.next for partition, place in self._places.items()}

    def bookmark(self) -> dict[str, object]:
        """The places as the ledger keeps them."""
        partitions = {str(partition): [place.next, place.last] for partition, place in sorted(self._places.items())}
        return {"topic": self._topic, "partitions": partitions}


def _read(bookmark: Mapping[str, Any]) -> dict[int, Place]:
    try:
        return {int(name): Place(int(next_), str(last)) for name, (next_, last) in bookmark["partitions"].items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def digest(record: Record) -> str:
    """The hash by which a record is recognised."""
    content = repr((record.timestamp, record.key, record.value)).encode()
    return hashlib.sha256(content).hexdigest()[:32]
