"""What is on the broker: topics with their sizes, groups with their lag."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable

T = TypeVar("T")
_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """A partition with its first offset and the next one to be written."""

    topic: str
    partition: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """A consumer group's place in one partition: the offset committed, and how many records it lags behind.

    `members` are client ids. A group that has committed nothing has one entry, whose topic is empty.
    """

    group: str
    state: str
    members: Sequence[str]
    topic: str = ""
    partition: int = -1
    committed: int = -1
    lag: int = 0

    @property
    def fields(self) -> Mapping[str, object]:
        """The fields that it has, by name."""
        return asdict(self) if self.topic else {"group": self.group, "state": self.state, "members": self.members}


def topic_listing(bootstrap: Bootstrap, timeout: float = 10.0) -> list[PartitionOffsets]:
    """Every partition of every topic. Raises BrokerUnreachable."""
    return _query(bootstrap, timeout, _topics)


def group_listing(bootstrap: Bootstrap, timeout: float = 10.0) -> list[GroupPosition]:
    """Every consumer group by partition. Raises BrokerUnreachable."""
    return _query(bootstrap, timeout, _groups)


def _query(bootstrap: Bootstrap, timeout: float, question: Callable[[Any, float], T]) -> T:
    admin = AdminClient(client_settings(bootstrap))
    try:
        return question(admin, timeout)
    except KafkaException as error:
        raise BrokerUnreachable(bootstrap=bootstrap, detail=error.args[0].str()) from error


def _topics(admin: Any, timeout: float) -> list[PartitionOffsets]:
    found = admin.list_topics(timeout=timeout).topics
    places = sorted((name, partition) for name, topic in found.items() for partition in topic.partitions)
    firsts, ends = _offsets(admin, places, _EARLIEST, timeout), _offsets(admin, places, _LATEST, timeout)
    return [PartitionOffsets(*place, firsts[place], ends[place]) for place in places]


def _offsets(admin: Any, places: list[tuple[str, int]], spec: Any, timeout: float) -> dict[tuple[str, int], int]:
    if not places:
        return {}
    asked = {TopicPartition(*place): spec for place in places}
    answers: dict[Any, Future[Any]] = admin.list_offsets(asked, request_timeout=timeout)
    return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}


def _groups(admin: Any, timeout: float) -> list[GroupPosition]:
    listed = admin.list_consumer_groups(request_timeout=timeout).result()
    if listed.errors:
        raise KafkaException(listed.errors[0])
    names = sorted(entry.group_id for entry in listed.valid)
    if not names:
        return []
    described = admin.describe_consumer_groups(names, request_timeout=timeout)
    return [entry for name in names for entry in _group(admin, name, described[name].result(), timeout)]


def _group(admin: Any, name: str, described: Any, timeout: float) -> list[GroupPosition]:
    members = sorted(member.client_id for member in described.members)
    state = described.state.name.lower()
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)], request_timeout=timeout)
    kept = asked[name].result().topic_partitions
    offsets = {(entry.topic, entry.partition): entry.offset for entry in kept if entry.offset >= 0}
    ends = _offsets(admin, sorted(offsets), _LATEST, timeout)
    entries = [
        GroupPosition(name, state, members, *place, offset, max(0, ends[place] - offset))
        for place, offset in sorted(offsets.items())
    ]
    return entries or [GroupPosition(name, state, members)]
