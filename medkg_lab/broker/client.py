"""Kafka clients for the lab's processes, thin over confluent-kafka: durable producing, consuming with explicit commits.

Only processes that speak Kafka import this module. A producer is made after a fork, not before: librdkafka's threads do
not survive one.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable, CommitFailed, ConsumeFailed, DeliveryFailed, UnknownTopic
from medkg_lab.broker.listing import group_listing, topic_listing
from medkg_lab.broker.reading import follow, read_all, tail
from medkg_lab.broker.record import Record, from_message

__all__ = [
    "Consumer",
    "Producer",
    "Record",
    "follow",
    "group_listing",
    "produce",
    "read_all",
    "tail",
    "topic_listing",
]

_log = logging.getLogger("medkg_lab.broker.client")

Headers = Sequence[tuple[str, bytes | None]]


class Producer:
    """Sends records that count as sent only once the broker has them on disk; idempotent, so a retry doubles nothing."""

    def __init__(
        self, bootstrap: Bootstrap, *, client_id: str = "medkg-lab", linger_ms: int = 5, timeout: float = 60.0
    ) -> None:
        self._timeout = timeout
        self._bootstrap = bootstrap
        self._failed: list[tuple[str, str]] = []
        self._producer = confluent_kafka.Producer(
            {
                **client_settings(bootstrap),
                "client.id": client_id,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": linger_ms,
                "message.max.bytes": 4 * 1024 * 1024,
                "message.timeout.ms": int(timeout * 1000),
                # The lab makes its topics itself: a topic that the broker makes for the asking has the wrong settings.
                "allow.auto.create.topics": False,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()

    def __len__(self) -> int:
        return len(self._producer)

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | str | None = None,
        headers: Headers | Mapping[str, bytes | None] = (),
        partition: int = -1,
        timestamp: int = 0,
        on_delivery: Callable[[Record], None] | None = None,
    ) -> None:
        """Queue one record; `on_delivery` gets it with its offset from within `poll` or `flush`.

        Waits while the queue is full. Raises DeliveryFailed when that lasts too long or the record can never be sent.
        """

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                self._failed.append((topic, error.str()))
            elif on_delivery:
                on_delivery(from_message(message))

        pairs: list[tuple[str, Any]] = list(headers.items() if isinstance(headers, Mapping) else headers)
        until = time.monotonic() + self._timeout
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key=key,
                    headers=pairs,
                    partition=partition,
                    timestamp=timestamp,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                if time.monotonic() > until:
                    raise DeliveryFailed(count=len(self), topics=topic, detail="the queue stayed full") from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise DeliveryFailed(count=1, topics=topic, detail=error.args[0].str()) from error
        self._producer.poll(0)

    def require(self, topic: str) -> None:
        """See that there is such a topic. Raises UnknownTopic, BrokerUnreachable."""
        try:
            found = self._producer.list_topics(topic, self._timeout).topics[topic]
        except KafkaException as error:
            raise BrokerUnreachable(bootstrap=self._bootstrap, detail=error.args[0].str()) from error
        if found.error is not None:
            raise UnknownTopic(topic=topic)

    def poll(self, timeout: float = 0.0) -> None:
        """Run the delivery callbacks that are due, waiting up to `timeout` seconds for the first."""
        self._producer.poll(timeout)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything queued is acknowledged. Raises DeliveryFailed when a record since the last flush was not.

        Records still unacknowledged after `timeout` seconds are taken back, so that they are not sent behind one's back.
        """
        left = self._producer.flush(self._timeout if timeout is None else timeout)
        if left:
            self._producer.purge()
            self._producer.flush(5)
        failed, self._failed = self._failed, []
        if failed:
            detail = f"no answer from {self._bootstrap} in time" if left else failed[0][1]
            topics = ", ".join(sorted({topic for topic, _ in failed}))
            raise DeliveryFailed(count=len(failed), topics=topics, detail=detail)


class Consumer:
    """One member of the consumer group `group`; what is read counts as done only when `commit` says so."""

    def __init__(
        self,
        bootstrap: Bootstrap,
        group: str,
        topics: Sequence[str],
        *,
        client_id: str = "medkg-lab",
        from_beginning: bool = True,
        on_assign: Callable[[list[tuple[str, int]]], None] | None = None,
        on_revoke: Callable[[list[tuple[str, int]]], None] | None = None,
        session_seconds: float = 10.0,
    ) -> None:
        self._group = group
        self._topics = ", ".join(topics)
        self._consumer = confluent_kafka.Consumer(
            {
                **client_settings(bootstrap),
                "client.id": client_id,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest" if from_beginning else "latest",
                "session.timeout.ms": int(session_seconds * 1000),
                "heartbeat.interval.ms": int(session_seconds * 1000 / 5),
                "check.crcs": True,
                "fetch.wait.max.ms": 500,
                # A topic that is made after the consumer is found within this time; librdkafka would take five minutes.
                "topic.metadata.refresh.interval.ms": 2000,
            }
        )
        self._consumer.subscribe(list(topics), **_hooks(on_assign=on_assign, on_revoke=on_revoke))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def poll(self, timeout: float, most: int = 500) -> list[Record]:
        """Up to `most` records; waits up to `timeout` seconds for the first and not at all for the others.

        A broker that is away or a topic that is not there yet is logged and waited for. Raises ConsumeFailed when the
        consumer can never go on.
        """
        first = self._consumer.poll(timeout)
        if first is None:
            return []
        messages = [first, *(self._consumer.consume(most - 1, 0.0) if most > 1 else ())]
        return [from_message(message) for message in messages if self._is_record(message)]

    def _is_record(self, message: Any) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise ConsumeFailed(topics=self._topics, detail=error.str())
        _log.warning("reading %s: %s", self._topics, error.str())
        return False

    def commit(self, records: Iterable[Record]) -> None:
        """Keep that `records`, and all before them in their partitions, are done; returns once the broker has it on disk.

        Raises CommitFailed.
        """
        wanted = [TopicPartition(topic, partition, offset) for (topic, partition), offset in _after(records).items()]
        if not wanted:
            return
        try:
            answers = self._consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            raise CommitFailed(group=self._group, detail=error.args[0].str()) from error
        for answer in answers or ():
            if answer.error is not None:
                raise CommitFailed(group=self._group, detail=f"{answer.topic}-{answer.partition}: {answer.error.str()}")

    def assignment(self) -> list[tuple[str, int]]:
        """The partitions that this member reads now."""
        return [(entry.topic, entry.partition) for entry in self._consumer.assignment()]

    def close(self) -> None:
        """Leave the group; nothing is committed."""
        self._consumer.close()


def _hooks(**wanted: Callable[[list[tuple[str, int]]], None] | None) -> dict[str, Any]:
    def adapt(hook: Callable[[list[tuple[str, int]]], None]) -> Callable[[Any, list[Any]], None]:
        return lambda _, partitions: hook([(entry.topic, entry.partition) for entry in partitions])

    return {name: adapt(hook) for name, hook in wanted.items() if hook is not None}


def _after(records: Iterable[Record]) -> dict[tuple[str, int], int]:
    """The offset after the last of `records`, by topic and partition."""
    offsets: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        offsets[place] = max(offsets.get(place, 0), record.offset + 1)
    return offsets


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """Where a record is."""

    topic: str
    partition: int
    offset: int


def produce(
    bootstrap: Bootstrap,
    topic: str,
    value: bytes | None,
    *,
    key: bytes | None = None,
    headers: Headers = (),
    timeout: float = 10.0,
) -> RecordLocation:
    """Send one record and say where it is kept.

    Raises UnknownTopic, BrokerUnreachable, DeliveryFailed.
    """
    sent: list[Record] = []
    with Producer(bootstrap, linger_ms=0, timeout=timeout) as producer:
        producer.require(topic)
        producer.send(topic, value, key=key, headers=headers, on_delivery=sent.append)
    return RecordLocation(topic, sent[0].partition, sent[0].offset)
