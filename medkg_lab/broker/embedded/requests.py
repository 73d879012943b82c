"""What the handlers read of Kafka's requests, one record per API.

Names are those of Kafka's message definitions in snake case (https://kafka.apache.org/protocol); times are milliseconds. A field
that older versions lack has its default; an array may be null in every version. What no handler reads is not here.
"""

from typing import Any, TypeVar

import msgspec

from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.errors import MalformedFrame

T = TypeVar("T", bound=msgspec.Struct)


class Message(msgspec.Struct, frozen=True):
    """A request, or a part of one, of which nothing is read."""


def typed(request: Request[dict[str, Any]], record: type[T]) -> Request[T]:
    """The request with its body as a record. Raises MalformedFrame for null where the record allows none."""
    try:
        return Request(request.head, request.client_id, msgspec.convert(request.body, record))
    except msgspec.ValidationError as error:
        raise MalformedFrame(detail=str(error)) from None


class ProducePartition(Message, frozen=True):
    """Records for one partition."""

    index: int
    records: bytes | None = None


class ProduceTopic(Message, frozen=True):
    """Records for one topic."""

    name: str
    partition_data: list[ProducePartition] | None


class Produce(Message, frozen=True):
    """API 0."""

    acks: int
    transactional_id: str | None
    topic_data: list[ProduceTopic] | None


class FetchPartition(Message, frozen=True):
    """From where one partition is read, and how much at most."""

    partition: int
    fetch_offset: int
    partition_max_bytes: int
    current_leader_epoch: int = -1


class FetchTopic(Message, frozen=True):
    """The partitions of one topic that are read."""

    topic: str
    partitions: list[FetchPartition] | None


class Fetch(Message, frozen=True):
    """API 1."""

    max_wait: int
    min_bytes: int
    topics: list[FetchTopic] | None
    max_bytes: int | None = None


class OffsetPartition(Message, frozen=True):
    """The time whose offset is asked for."""

    partition_index: int
    timestamp: int
    current_leader_epoch: int = -1


class OffsetTopic(Message, frozen=True):
    """The partitions of one topic."""

    name: str
    partitions: list[OffsetPartition] | None


class ListOffsets(Message, frozen=True):
    """API 2."""

    topics: list[OffsetTopic] | None


class NamedTopic(Message, frozen=True):
    """A topic by name; null where it is asked for by id."""

    name: str | None = None


class Metadata(Message, frozen=True):
    """API 3."""

    topics: list[NamedTopic] | None
    allow_auto_topic_creation: bool = True
    include_topic_authorized_operations: bool = False
    include_cluster_authorized_operations: bool = False


class CommitPartition(Message, frozen=True):
    """A position of a group."""

    partition_index: int
    committed_offset: int
    committed_metadata: str | None


class CommitTopic(Message, frozen=True):
    """A group's positions in one topic."""

    name: str
    partitions: list[CommitPartition] | None


class OffsetCommit(Message, frozen=True):
    """API 8. The codec's schema has one name for the two meanings of the generation; here it is always the generation."""

    group_id: str
    member_id: str
    generation_id_or_member_epoch: int
    topics: list[CommitTopic] | None
    group_instance_id: str | None = None


class FetchedTopic(Message, frozen=True):
    """The partitions whose positions are asked for."""

    name: str
    partition_indexes: list[int] | None


class FetchedGroup(Message, frozen=True):
    """A group whose positions are asked for; topics are null for all."""

    group_id: str
    topics: list[FetchedTopic] | None


class OffsetFetch(Message, frozen=True):
    """API 9: one group until version 7, several from version 8 on."""

    group_id: str = ""
    topics: list[FetchedTopic] | None = None
    groups: list[FetchedGroup] | None = None


class FindCoordinator(Message, frozen=True):
    """API 10: one key until version 3, several from version 4 on. A key of kind 0 is a group."""

    key: str = ""
    key_type: int = 0
    coordinator_keys: list[str] | None = None


class JoinProtocol(Message, frozen=True):
    """A way of assigning partitions that a member offers."""

    name: str
    metadata: bytes


class JoinGroup(Message, frozen=True):
    """API 11."""

    group_id: str
    member_id: str
    session_timeout: int
    protocol_type: str
    protocols: list[JoinProtocol] | None
    rebalance_timeout: int | None = None
    group_instance_id: str | None = None


class Heartbeat(Message, frozen=True):
    """API 12."""

    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None = None


class LeavingMember(Message, frozen=True):
    """A member that leaves."""

    member_id: str
    group_instance_id: str | None


class LeaveGroup(Message, frozen=True):
    """API 13: one member until version 2, several from version 3 on."""

    group_id: str
    member_id: str = ""
    members: list[LeavingMember] | None = None


class SyncAssignment(Message, frozen=True):
    """What the leader gives to a member."""

    member_id: str
    assignment: bytes


class SyncGroup(Message, frozen=True):
    """API 14."""

    group_id: str
    generation_id: int
    member_id: str
    assignments: list[SyncAssignment] | None
    group_instance_id: str | None = None
    protocol_type: str | None = None
    protocol_name: str | None = None


class DescribeGroups(Message, frozen=True):
    """API 15."""

    groups: list[str] | None
    include_authorized_operations: bool = False


class ListGroups(Message, frozen=True):
    """API 16."""

    states_filter: list[str] | None = None
    types_filter: list[str] | None = None


class SaslHandshake(Message, frozen=True):
    """API 17."""

    mechanism: str


class Assignment(Message, frozen=True):
    """On which brokers a partition is to be."""

    broker_ids: list[int] | None
    partition_index: int = -1


class ConfigEntry(Message, frozen=True):
    """A setting; null where it has no value. The operation is that of IncrementalAlterConfigs."""

    name: str
    value: str | None
    config_operation: int = 0


class NewTopic(Message, frozen=True):
    """A topic that is to be made."""

    name: str
    num_partitions: int
    replication_factor: int
    assignments: list[Assignment] | None
    configs: list[ConfigEntry] | None


class CreateTopics(Message, frozen=True):
    """API 19."""

    topics: list[NewTopic] | None
    validate_only: bool


class DeleteTopics(Message, frozen=True):
    """API 20: names until version 5, topics by name or id from version 6 on."""

    topic_names: list[str] | None = None
    topics: list[NamedTopic] | None = None


class DeletedPartition(Message, frozen=True):
    """Below which offset records go."""

    partition_index: int
    offset: int


class DeletedTopic(Message, frozen=True):
    """The partitions of one topic whose records go."""

    name: str
    partitions: list[DeletedPartition] | None


class DeleteRecords(Message, frozen=True):
    """API 21."""

    topics: list[DeletedTopic] | None


class InitProducerId(Message, frozen=True):
    """API 22."""

    transactional_id: str | None


class EpochPartition(Message, frozen=True):
    """The epoch whose end is asked for."""

    partition: int
    current_leader_epoch: int
    leader_epoch: int


class EpochTopic(Message, frozen=True):
    """The partitions of one topic."""

    topic: str
    partitions: list[EpochPartition] | None


class OffsetForLeaderEpoch(Message, frozen=True):
    """API 23."""

    topics: list[EpochTopic] | None


class CreateAcls(Message, frozen=True):
    """API 30."""

    creations: list[Message] | None


class DeleteAcls(Message, frozen=True):
    """API 31."""

    filters: list[Message] | None


class DescribedResource(Message, frozen=True):
    """A topic or broker whose settings are asked for; keys are null for all."""

    resource_type: int
    resource_name: str
    configuration_keys: list[str] | None


class DescribeConfigs(Message, frozen=True):
    """API 32."""

    resources: list[DescribedResource] | None


class AlteredResource(Message, frozen=True):
    """A topic or broker whose settings change."""

    resource_type: int
    resource_name: str
    configs: list[ConfigEntry] | None


class AlterConfigs(Message, frozen=True):
    """API 33, and API 44, whose entries have operations."""

    resources: list[AlteredResource] | None
    validate_only: bool


class MovedTopic(Message, frozen=True):
    """Partitions that move to a folder."""

    name: str
    partitions: list[int] | None


class MovedFolder(Message, frozen=True):
    """A folder that partitions move to."""

    path: str
    topics: list[MovedTopic] | None


class AlterReplicaLogDirs(Message, frozen=True):
    """API 34."""

    dirs: list[MovedFolder] | None


class TopicPartitions(Message, frozen=True):
    """Partitions of one topic."""

    topic: str
    partitions: list[int] | None


class DescribeLogDirs(Message, frozen=True):
    """API 35; topics are null for all."""

    topics: list[TopicPartitions] | None


class SaslAuthenticate(Message, frozen=True):
    """API 36."""

    auth_bytes: bytes


class GrownTopic(Message, frozen=True):
    """How many partitions a topic is to have."""

    name: str
    count: int
    assignments: list[Assignment] | None


class CreatePartitions(Message, frozen=True):
    """API 37."""

    topics: list[GrownTopic] | None
    validate_only: bool


class DeleteGroups(Message, frozen=True):
    """API 42."""

    groups_names: list[str] | None


class ElectLeaders(Message, frozen=True):
    """API 43; partitions are null for all."""

    topic_partitions: list[TopicPartitions] | None


class Reassignment(Message, frozen=True):
    """The brokers that a partition is to be on; null stops a move."""

    partition_index: int
    replicas: list[int] | None


class ReassignedTopic(Message, frozen=True):
    """The partitions of one topic that move."""

    name: str
    partitions: list[Reassignment] | None


class AlterPartitionReassignments(Message, frozen=True):
    """API 45."""

    topics: list[ReassignedTopic] | None


class ForgottenPartition(Message, frozen=True):
    """A partition whose position is forgotten."""

    partition_index: int


class ForgottenTopic(Message, frozen=True):
    """The partitions of one topic whose positions are forgotten."""

    name: str
    partitions: list[ForgottenPartition] | None


class OffsetDelete(Message, frozen=True):
    """API 47."""

    group_id: str
    topics: list[ForgottenTopic] | None


class NamedUser(Message, frozen=True):
    """An account."""

    name: str


class DescribeUserScramCredentials(Message, frozen=True):
    """API 50; users are null for all."""

    users: list[NamedUser] | None


class DescribeCluster(Message, frozen=True):
    """API 60."""

    endpoint_type: int = 1
    include_cluster_authorized_operations: bool = False


class ProducersTopic(Message, frozen=True):
    """The partitions whose producers are asked for."""

    name: str
    partition_indexes: list[int] | None


class DescribeProducers(Message, frozen=True):
    """API 61."""

    topics: list[ProducersTopic] | None


class DescribeTransactions(Message, frozen=True):
    """API 65."""

    transactional_ids: list[str] | None


class ListTransactions(Message, frozen=True):
    """API 66."""

    state_filters: list[str] | None


class GroupMember(Message, frozen=True):
    """APIs 68 and 76."""

    member_id: str


class ListConfigResources(Message, frozen=True):
    """API 74; no kinds stand for all."""

    resource_types: list[int] | None


class PageCursor(Message, frozen=True):
    """Where a page begins."""

    topic_name: str = ""
    partition_index: int = 0


class DescribeTopicPartitions(Message, frozen=True):
    """API 75; no topics stand for all."""

    topics: list[NamedTopic] | None
    response_partition_limit: int
    cursor: PageCursor | None
