"""Who may do what: the one place that decides, by account, API and what the request names.

The account of the lab has all rights. A producer may write into the work queue, and see what it takes to do that. The kinds
of things and the error for each are Kafka's ("Operations and Resources on Protocols" in
https://kafka.apache.org/documentation/#operations_resources_and_protocols).
"""

from dataclasses import dataclass
from enum import Enum

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.credentials import LAB_ACCOUNT, PRODUCER_ACCOUNT


class Kind(Enum):
    """What a request names, with the error of who may not."""

    TOPIC = Code.TOPIC_AUTHORIZATION_FAILED
    GROUP = Code.GROUP_AUTHORIZATION_FAILED
    CLUSTER = Code.CLUSTER_AUTHORIZATION_FAILED


_PRODUCE, _LIST_OFFSETS, _METADATA, _INIT_PRODUCER_ID, _DESCRIBE_CONFIGS = 0, 2, 3, 22, 32
_DESCRIBE_CLUSTER, _DESCRIBE_TOPIC_PARTITIONS = 60, 75
_PRODUCER_WITH_ITS_TOPIC = frozenset(
    {_PRODUCE, _LIST_OFFSETS, _METADATA, _DESCRIBE_CONFIGS, _DESCRIBE_TOPIC_PARTITIONS}
)
_PRODUCER_WITH_THE_CLUSTER = frozenset({_INIT_PRODUCER_ID, _DESCRIBE_CLUSTER})


@dataclass(frozen=True)
class Rights:
    """What `account` may do; `requests` is the topic that is the work queue."""

    account: str
    requests: str

    @property
    def all(self) -> bool:
        """Whether it may do everything."""
        return self.account == LAB_ACCOUNT

    def refusal(self, api: int, kind: Kind, name: str = "") -> Code:
        """The error of who may not use the API with the key `api` on the thing of this kind and name; NONE for who may."""
        if self.all:
            return Code.NONE
        if self.account != PRODUCER_ACCOUNT:
            return kind.value
        allowed = {
            Kind.TOPIC: api in _PRODUCER_WITH_ITS_TOPIC and name == self.requests,
            Kind.CLUSTER: api in _PRODUCER_WITH_THE_CLUSTER,
            Kind.GROUP: False,
        }
        return Code.NONE if allowed[kind] else kind.value

    def producer_id(self, number: int) -> int:
        """The id of the idempotent producer with this number among all: even for one of the lab's, odd for another's."""
        return 2 * number + (not self.all)

    def may_write_as(self, producer_id: int) -> bool:
        """Whether records may carry this producer id.

        Ids can be guessed, and whoever writes under the id of another producer has its records taken for repeated ones.
        """
        return self.all or producer_id < 0 or producer_id % 2 == 1
