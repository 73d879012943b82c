"""The topics of the lab, and making them."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from medkg_lab.broker.client_settings import Bootstrap, client_settings
from medkg_lab.broker.errors import BrokerUnreachable, TopicNotMade, TopicOutOfOrder

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

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings in Kafka's terms."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_days * _DAY_MS),
            "retention.bytes": str(self.retention_mib * _MIB),
            "max.message.bytes": str(self.largest_mib * _MIB + 4096),
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
    TopicSpec(REQUESTS, partitions=4, retention_days=14, retention_mib=256),
    TopicSpec(DEAD_LETTERS, partitions=1, retention_days=90, retention_mib=256, in_order=True),
    TopicSpec(PDF_REQUESTS, partitions=4, retention_days=14, retention_mib=256),
    TopicSpec(EVENTS, partitions=4, retention_days=7, retention_mib=512),
    # From this one a lost ledger is brought back, so it reaches back further than any pause between two snapshots.
    TopicSpec(LEDGER_LOG, partitions=1, retention_days=60, retention_mib=4096, largest_mib=4, in_order=True),
)


def lab_topics(prefix: str = "") -> tuple[TopicSpec, ...]:
    """The lab's topics, each name with `prefix` in front, which keeps labs on a shared cluster apart."""
    return tuple(TopicSpec(**{**vars(spec), "name": prefix + spec.name}) for spec in _SPECS)


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


def ensure_topics(bootstrap: Bootstrap, prefix: str = "", timeout: float = 30.0) -> list[str]:
    """Make those of the lab's topics that are not there; returns the names of the new ones.

    Topics that exist keep their settings. Raises BrokerUnreachable, TopicNotMade, and TopicOutOfOrder when an existing
    topic has more partitions than its order allows.
    """
    return make_topics(bootstrap, lab_topics(prefix), timeout)


def make_topics(bootstrap: Bootstrap, wanted: Sequence[TopicSpec], timeout: float = 30.0) -> list[str]:
    """Make those of the `wanted` topics that are not there; otherwise as `ensure_topics`."""
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

    def _partitions(self, timeout: float) -> dict[str, int]:
        """How many partitions each topic of the broker has."""
        from confluent_kafka import KafkaException

        try:
            found = self._admin.list_topics(timeout=timeout).topics
        except KafkaException as error:
            raise BrokerUnreachable(bootstrap=self._bootstrap, detail=error.args[0].str()) from error
        return {name: len(topic.partitions) for name, topic in found.items()}


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
