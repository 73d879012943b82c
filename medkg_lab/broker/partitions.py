"""Reading a topic from offsets of one's own, as a member of no group: nobody can take a record away or move the offsets."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import ConsumeFailed
from medkg_lab.broker.record import Record, from_message

_log = logging.getLogger("medkg_lab.broker.client")

REFRESH_S = 2.0
"""Seconds after which new partitions are looked for."""
FETCH_BYTES = 256 * 1024
_ANSWER_S = 2.0


class PartitionReader:
    """Reads every partition of `topic`, also those that are added later; offsets are shown as those of `group`."""

    def __init__(self, bootstrap: Bootstrap, topic: str, group: str, *, client_id: str = "medkg-lab") -> None:
        self._topic = topic
        self._group = group
        self._assigned: set[int] = set()
        self._refreshed: float | None = None
        self._is_warned = False
        self._consumer = confluent_kafka.Consumer(
            {
                **client_settings(bootstrap),
                "client.id": client_id,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                # Where an offset is beyond the end, the topic was made again.
                "auto.offset.reset": "earliest",
                "check.crcs": True,
                # Compressed records are unpacked as soon as they are there, however many times as large they are.
                "max.partition.fetch.bytes": FETCH_BYTES,
                "fetch.wait.max.ms": 500,
                "on_commit": self._committed,
            }
        )

    def start(self, offsets: Mapping[int, int]) -> None:
        """Read from `offsets` on by partition; from the oldest record in those that are not named."""
        self._consumer.assign([TopicPartition(self._topic, *place) for place in offsets.items()])
        self._assigned = set(offsets)
        self._refreshed = None

    def rewind(self, partition: int) -> None:
        """Read a partition from its oldest record on."""
        self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
        self._consumer.incremental_assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING)])

    def poll(self, timeout: float, most: int) -> list[Record]:
        """Up to `most` records; waits up to `timeout` seconds for the first and not at all for the others.

        A broker that is away or a topic that is not there is logged and waited for. Raises ConsumeFailed when reading can
        never go on.
        """
        self._refresh()
        first = self._consumer.poll(timeout)
        messages = [] if first is None else [first, *(self._consumer.consume(most - 1, 0.0) if most > 1 else ())]
        return [from_message(message) for message in messages if self._is_record(message)]

    def _refresh(self) -> None:
        """Look for new partitions from time to time."""
        if self._refreshed is not None and time.monotonic() - self._refreshed < REFRESH_S:
            return
        try:
            found = self._consumer.list_topics(self._topic, _ANSWER_S).topics[self._topic].partitions
        except KafkaException as error:
            _log.warning("reading %s: %s", self._topic, error.args[0].str())
            return
        self._refreshed = time.monotonic()
        new = sorted(set(found) - self._assigned)
        if new:
            self._consumer.incremental_assign([TopicPartition(self._topic, one, OFFSET_BEGINNING) for one in new])
            self._assigned |= set(new)

    def _is_record(self, message: Any) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise ConsumeFailed(topics=self._topic, detail=error.str())
        _log.warning("reading %s: %s", self._topic, error.str())
        return False

    def show(self, offsets: Mapping[int, int]) -> None:
        """Commit `offsets` by partition as those of the group, for whoever looks at its lag; they are never read back."""
        if not offsets:
            return
        places = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as error:
            self._committed(error.args[0], [])

    def _committed(self, error: Any, places: list[Any]) -> None:
        failed = error or next((place.error for place in places if place.error is not None), None)
        if failed is not None and not self._is_warned:
            _log.warning("the offsets of group %s cannot be shown: %s", self._group, failed.str())
        self._is_warned = failed is not None

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()
