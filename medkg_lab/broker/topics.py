"""The topics of the lab, and making them."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable, TopicNotChanged, TopicNotMade, TopicOutOfOrder

if TYPE_CHECKING:
    from medkg_lab.settings import Settings

_DAY_MS = 24 * 60 * 60 * 1000
_MIB = 1024 * 1024


@dataclass(frozen=True)
class TopicSpec:
    """One topic: its name, its partitions, how long and up to which size per partition its records stay.

    Records of one job have the job id as their key, so they stay in order in one partition.
    """

    name: str
    partitions: int
    retention_days: int
    retention_mib: int
    largest_mib: int = 1
    in_order: bool = False
    """Whether the whole topic is one sequence, which more than one partition would break."""
    is_needed: bool = False
    """Whether the lab itself reads it, perhaps long after it was written: then nothing makes its records go earlier."""

    def with_retention(self, days: int | None, mib: int | None) -> "TopicSpec":
        """The topic with another retention; None leaves its own, and so does less than its own where it is needed."""
        least_days, least_mib = (self.retention_days, self.retention_mib) if self.is_needed else (0, 0)
        return replace(
            self,
            retention_days=self.retention_days if days is None else max(days, least_days),
            retention_mib=self.retention_mib if mib is None else max(mib, least_mib),
        )

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings in Kafka's terms."""
        return {
            "cleanup.policy": "delete",
            "max.message.bytes": str(self.largest_mib * _MIB + 4096),
            **self.retention,
        }

    @property
    def retention(self) -> dict[str, str]:
        """Those of them that say when its records go."""
        return {
            "retention.ms": str(self.retention_days * _DAY_MS),
            "retention.bytes": str(self.retention_mib * _MIB),
        }


REQUESTS = "ingest.requests.v1"
"""The work queue: one submission per record."""
DEAD_LETTERS = "ingest.deadletter.v1"
"""Submissions that cannot become jobs or whose job is dead, with the reason in the headers."""
PDF_REQUESTS = "pdf.requests.v1"
"""PDFs that wait for their text."""
EVENTS = "orchestration.events.v1"
"""Everything that happens to a document, as CloudEvents."""
LEDGER_LOG = "ledger.log.v1"
"""The ledger's events as they are, for bringing a lost ledger back."""

_SPECS = (
    TopicSpec(REQUESTS, partitions=4, retention_days=14, retention_mib=256, is_needed=True),
    TopicSpec(DEAD_LETTERS, partitions=1, retention_days=90, retention_mib=256, in_order=True),
    TopicSpec(PDF_REQUESTS, partitions=4, retention_days=14, retention_mib=256, is_needed=True),
    TopicSpec(EVENTS, partitions=4, retention_days=7, retention_mib=512),
    # From this one a lost ledger is brought back, so it reaches back further than any pause between two snapshots.
    TopicSpec(
        LEDGER_LOG,
        partitions=1,
        retention_days=60,
        retention_mib=4096,
        largest_mib=4,
        in_order=True,
        is_needed=True,
    ),
)


def lab_topics(prefix: str = "") -> tuple[TopicSpec, ...]:
    """The lab's topics, each name with `prefix` in front, which keeps labs on a shared cluster apart."""
    return tuple(replace(spec, name=prefix + spec.name) for spec in _SPECS)


def chosen_topics(settings: "Settings") -> tuple[TopicSpec, ...]:
    """The lab's topics as `settings` name them and keep their records."""
    kept = settings.retention
    return tuple(
        one.with_retention(kept.topic_days, kept.topic_mib) for one in lab_topics(settings.broker.topic_prefix)
    )


@dataclass(frozen=True)
class Topics:
    """The names of the lab's topics, with `prefix` in front of each."""

    prefix: str = ""

    @property
    def requests(self) -> str:
        """The work queue."""
        return self.prefix + REQUESTS

    @property
    def deadletter(self) -> str:
        """What cannot be worked on."""
        return self.prefix + DEAD_LETTERS

    @property
    def pdf_requests(self) -> str:
        """PDFs that wait for their text."""
        return self.prefix + PDF_REQUESTS

    @property
    def events(self) -> str:
        """The CloudEvents."""
        return self.prefix + EVENTS

    @property
    def ledger_log(self) -> str:
        """The ledger's own events."""
        return self.prefix + LEDGER_LOG


def make_topics(bootstrap: Bootstrap, wanted: Sequence[TopicSpec], timeout: float = 30.0) -> list[str]:
    """Make those of the `wanted` topics that are not there; returns the names of the new ones.

    Topics that exist keep their settings. Raises BrokerUnreachable, TopicNotMade, and TopicOutOfOrder when an existing
    topic has more partitions than its order allows.
    """
    return TopicMaker(bootstrap, wanted).make_missing(timeout)


class TopicMaker:
    """Makes those of the `wanted` topics that are not there, as often as it is asked to, over one connection."""

    def __init__(self, bootstrap: Bootstrap, wanted: Sequence[TopicSpec]) -> None:
        from confluent_kafka.admin import AdminClient

        self._bootstrap = bootstrap
        self._wanted = wanted
        self._admin = AdminClient(client_settings(bootstrap))

    def missing(self, timeout: float) -> set[str]:
        """The names of those that are not there. Raises BrokerUnreachable."""
        return {spec.name for spec in self._wanted} - set(self._partitions(timeout))

    def make_missing(self, timeout: float) -> list[str]:
        """The names of those that were made. Raises BrokerUnreachable, TopicNotMade, TopicOutOfOrder."""
        from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

        found = self._partitions(timeout)
        for spec in self._wanted:
            if spec.in_order and found.get(spec.name, spec.partitions) != spec.partitions:
                raise TopicOutOfOrder(topic=spec.name, found=found[spec.name], wanted=spec.partitions)
        missing = [spec for spec in self._wanted if spec.name not in found]
        if not missing:
            return []
        asked = [NewTopic(spec.name, num_partitions=spec.partitions, config=spec.config) for spec in missing]
        answers = self._admin.create_topics(asked, request_timeout=timeout)
        return [name for name, future in answers.items() if _made(name, future)]

    def align(self, timeout: float) -> list[str]:
        """Give each of them the retention that is wanted; the names of those that had another one. Raises TopicNotChanged."""
        from confluent_kafka.admin import (  # type: ignore[attr-defined]
            AlterConfigOpType,
            ConfigEntry,
            ConfigResource,
            ResourceType,
        )

        asked = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in self._wanted]
        found = self._admin.describe_configs(asked, request_timeout=timeout)
        has = {one.name: _settled(one.name, future) for one, future in found.items()}
        differing = [
            ConfigResource(
                ResourceType.TOPIC,
                spec.name,
                incremental_configs=[
                    ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                    for name, value in spec.retention.items()
                ],
            )
            for spec in self._wanted
            if any(has[spec.name][name].value != value for name, value in spec.retention.items())
        ]
        if not differing:
            return []
        answers = self._admin.incremental_alter_configs(differing, request_timeout=timeout)
        for one, future in answers.items():
            _settled(one.name, future)
        return sorted(one.name for one in answers)

    def _partitions(self, timeout: float) -> dict[str, int]:
        """How many partitions each topic of the broker has."""
        from confluent_kafka import KafkaException

        try:
            found = self._admin.list_topics(timeout=timeout).topics
        except KafkaException as error:
            raise BrokerUnreachable(bootstrap=self._bootstrap, detail=error.args[0].str()) from error
        return {name: len(topic.partitions) for name, topic in found.items()}


def _settled(topic: str, future: "Future[Any]") -> Any:
    """What the broker answered about a topic's settings. Raises TopicNotChanged."""
    from confluent_kafka import KafkaException

    try:
        return future.result()
    except KafkaException as error:
        raise TopicNotChanged(topic=topic, detail=error.args[0].str()) from error


def _made(name: str, future: "Future[Any]") -> bool:
    """Whether the topic is new; somebody else may have made it in the meantime."""
    from confluent_kafka import KafkaError, KafkaException

    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise TopicNotMade(topic=name, detail=error.args[0].str()) from error
    return True
