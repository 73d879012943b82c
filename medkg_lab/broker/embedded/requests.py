"""The requests of the Kafka protocol as this broker reads them: one record for each API, for all of its versions together.

The fields are those of Kafka's message definitions in snake case, and only those that a handler looks at; the codec passes over
the others. A field that not every offered version has, has a default here. Times are in milliseconds. A null array is empty
unless null means something of its own.
"""

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every record of a request, an answer or a part of one has in common."""


class ApiVersionsRequest(Message, frozen=True, kw_only=True):
    """What does the broker offer?"""


class ProducePartition(Message, frozen=True, kw_only=True):
    """The record set for one partition."""

    index: int
    records: bytes | None


class ProduceTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partition_data: tuple[ProducePartition, ...]


class ProduceRequest(Message, frozen=True, kw_only=True):
    """Store record sets."""

    transactional_id: str | None
    acks: int
    topic_data: tuple[ProduceTopic, ...]


class InitProducerIdRequest(Message, frozen=True, kw_only=True):
    """Give out a producer id."""

    transactional_id: str | None


class FetchPartition(Message, frozen=True, kw_only=True):
    """From where on to read one partition, and at most how many bytes of it."""

    partition: int
    fetch_offset: int
    partition_max_bytes: int
    current_leader_epoch: int = -1


class FetchTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    topic: str
    partitions: tuple[FetchPartition, ...]


class FetchRequest(Message, frozen=True, kw_only=True):
    """Read records, waiting for `min_bytes` of them for at most `max_wait`."""

    max_wait: int
    min_bytes: int
    max_bytes: int
    topics: tuple[FetchTopic, ...]


class ListOffsetsPartition(Message, frozen=True, kw_only=True):
    """The time to look for in one partition, or a negative number that stands for one."""

    partition_index: int
    timestamp: int
    current_leader_epoch: int = -1


class ListOffsetsTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[ListOffsetsPartition, ...]


class ListOffsetsRequest(Message, frozen=True, kw_only=True):
    """Find offsets by time."""

    topics: tuple[ListOffsetsTopic, ...]


class LeaderEpochPartition(Message, frozen=True, kw_only=True):
    """The epoch whose end is asked for."""

    partition: int
    current_leader_epoch: int
    leader_epoch: int


class LeaderEpochTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    topic: str
    partitions: tuple[LeaderEpochPartition, ...]


class OffsetForLeaderEpochRequest(Message, frozen=True, kw_only=True):
    """Where did epochs end?"""

    topics: tuple[LeaderEpochTopic, ...]


class DeleteRecordsPartition(Message, frozen=True, kw_only=True):
    """The offset below which one partition is hidden."""

    partition_index: int
    offset: int


class DeleteRecordsTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[DeleteRecordsPartition, ...]


class DeleteRecordsRequest(Message, frozen=True, kw_only=True):
    """Hide records."""

    topics: tuple[DeleteRecordsTopic, ...]


class MetadataTopic(Message, frozen=True, kw_only=True):
    """A topic by its name; without one it is named by an id that no topic here has."""

    name: str | None


class MetadataRequest(Message, frozen=True, kw_only=True):
    """Describe the broker and topics: all of them when `topics` is null."""

    topics: tuple[MetadataTopic, ...] | None
    allow_auto_topic_creation: bool = True
    include_cluster_authorized_operations: bool = False
    include_topic_authorized_operations: bool = False


class TopicName(Message, frozen=True, kw_only=True):
    """A topic by its name."""

    name: str


class PartitionCursor(Message, frozen=True, kw_only=True):
    """Where the next page begins."""

    topic_name: str
    partition_index: int


class DescribeTopicPartitionsRequest(Message, frozen=True, kw_only=True):
    """Describe topics in pages; all of them when none is named."""

    topics: tuple[TopicName, ...]
    response_partition_limit: int
    cursor: PartitionCursor | None


class DescribeClusterRequest(Message, frozen=True, kw_only=True):
    """Describe the cluster."""

    include_cluster_authorized_operations: bool
    endpoint_type: int = 1


class FindCoordinatorRequest(Message, frozen=True, kw_only=True):
    """Who coordinates a group? From version 4 on `coordinator_keys` names several."""

    key: str = ""
    key_type: int = 0
    coordinator_keys: tuple[str, ...] = ()


class CommitPartition(Message, frozen=True, kw_only=True):
    """The position to keep for one partition."""

    partition_index: int
    committed_offset: int
    committed_metadata: str | None


class CommitTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[CommitPartition, ...]


class OffsetCommitRequest(Message, frozen=True, kw_only=True):
    """Keep a group's positions."""

    group_id: str
    # The codec's schema has one name for the field's two meanings; here it is always the generation.
    generation_id_or_member_epoch: int
    member_id: str
    topics: tuple[CommitTopic, ...]
    group_instance_id: str | None = None


class TopicPartitionIndexes(Message, frozen=True, kw_only=True):
    """Partitions of one topic by their numbers."""

    name: str
    partition_indexes: tuple[int, ...]


class OffsetFetchGroup(Message, frozen=True, kw_only=True):
    """One group whose positions are asked for: all of them when `topics` is null."""

    group_id: str
    topics: tuple[TopicPartitionIndexes, ...] | None


class OffsetFetchRequest(Message, frozen=True, kw_only=True):
    """Read groups' positions. Before version 8 it is one group, named here itself."""

    group_id: str = ""
    topics: tuple[TopicPartitionIndexes, ...] | None = None
    groups: tuple[OffsetFetchGroup, ...] = ()


class DeleteGroupsRequest(Message, frozen=True, kw_only=True):
    """Forget groups."""

    groups_names: tuple[str, ...]


class OffsetDeletePartition(Message, frozen=True, kw_only=True):
    """One partition."""

    partition_index: int


class OffsetDeleteTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[OffsetDeletePartition, ...]


class OffsetDeleteRequest(Message, frozen=True, kw_only=True):
    """Forget positions of a group."""

    group_id: str
    topics: tuple[OffsetDeleteTopic, ...]


class JoinProtocol(Message, frozen=True, kw_only=True):
    """A way to assign partitions that the member knows, with its own description for it."""

    name: str
    metadata: bytes


class JoinGroupRequest(Message, frozen=True, kw_only=True):
    """Join a group."""

    group_id: str
    session_timeout: int
    member_id: str
    protocol_type: str
    protocols: tuple[JoinProtocol, ...]
    rebalance_timeout: int | None = None
    group_instance_id: str | None = None


class SyncAssignment(Message, frozen=True, kw_only=True):
    """What the leader assigns to one member."""

    member_id: str
    assignment: bytes


class SyncGroupRequest(Message, frozen=True, kw_only=True):
    """Hand in or learn the assignment of a generation."""

    group_id: str
    generation_id: int
    member_id: str
    assignments: tuple[SyncAssignment, ...]
    group_instance_id: str | None = None
    protocol_type: str | None = None
    protocol_name: str | None = None


class HeartbeatRequest(Message, frozen=True, kw_only=True):
    """The member lives."""

    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None = None


class LeavingMember(Message, frozen=True, kw_only=True):
    """One member that leaves."""

    member_id: str
    group_instance_id: str | None


class LeaveGroupRequest(Message, frozen=True, kw_only=True):
    """Let members go. Before version 3 it is one member, named here itself."""

    group_id: str
    member_id: str = ""
    members: tuple[LeavingMember, ...] = ()


class ListGroupsRequest(Message, frozen=True, kw_only=True):
    """Which groups are there in these states and of these types?"""

    states_filter: tuple[str, ...] = ()
    types_filter: tuple[str, ...] = ()


class DescribeGroupsRequest(Message, frozen=True, kw_only=True):
    """Describe groups with their members."""

    groups: tuple[str, ...]
    include_authorized_operations: bool = False


class NewGroupHeartbeatRequest(Message, frozen=True, kw_only=True):
    """A heartbeat of the group protocols of KIP-848 and KIP-932."""

    member_id: str


class SaslHandshakeRequest(Message, frozen=True, kw_only=True):
    """Agree on a mechanism."""

    mechanism: str


class SaslAuthenticateRequest(Message, frozen=True, kw_only=True):
    """One message of the login."""

    auth_bytes: bytes


class ReplicaAssignment(Message, frozen=True, kw_only=True):
    """The brokers of one partition of a new topic."""

    partition_index: int
    broker_ids: tuple[int, ...]


class ConfigValue(Message, frozen=True, kw_only=True):
    """A setting; null is its default."""

    name: str
    value: str | None


class NewTopic(Message, frozen=True, kw_only=True):
    """A topic to make."""

    name: str
    num_partitions: int
    replication_factor: int
    assignments: tuple[ReplicaAssignment, ...]
    configs: tuple[ConfigValue, ...]


class CreateTopicsRequest(Message, frozen=True, kw_only=True):
    """Make topics."""

    topics: tuple[NewTopic, ...]
    validate_only: bool


class DeletedTopic(Message, frozen=True, kw_only=True):
    """A topic to delete; without a name it is named by an id that no topic here has."""

    name: str | None


class DeleteTopicsRequest(Message, frozen=True, kw_only=True):
    """Delete topics, from version 6 on those in `topics`."""

    topic_names: tuple[str, ...] = ()
    topics: tuple[DeletedTopic, ...] = ()


class PartitionAssignment(Message, frozen=True, kw_only=True):
    """The brokers of one new partition."""

    broker_ids: tuple[int, ...]


class GrowingTopic(Message, frozen=True, kw_only=True):
    """A topic and how many partitions it shall have."""

    name: str
    count: int
    assignments: tuple[PartitionAssignment, ...]


class CreatePartitionsRequest(Message, frozen=True, kw_only=True):
    """Give topics more partitions."""

    topics: tuple[GrowingTopic, ...]
    validate_only: bool


class ConfigResource(Message, frozen=True, kw_only=True):
    """A topic or a broker."""

    resource_type: int
    resource_name: str


class DescribedResource(ConfigResource, frozen=True, kw_only=True):
    """A resource and the settings asked for, all when null."""

    configuration_keys: tuple[str, ...] | None


class DescribeConfigsRequest(Message, frozen=True, kw_only=True):
    """Read settings."""

    resources: tuple[DescribedResource, ...]


class ListConfigResourcesRequest(Message, frozen=True, kw_only=True):
    """What has settings?"""

    resource_types: tuple[int, ...]


class AlteredResource(ConfigResource, frozen=True, kw_only=True):
    """A resource and all of its settings."""

    configs: tuple[ConfigValue, ...]


class AlterConfigsRequest(Message, frozen=True, kw_only=True):
    """Replace all settings."""

    resources: tuple[AlteredResource, ...]
    validate_only: bool


class ConfigChange(ConfigValue, frozen=True, kw_only=True):
    """What to do with one setting."""

    config_operation: int


class ChangedResource(ConfigResource, frozen=True, kw_only=True):
    """A resource and the changes of its settings."""

    configs: tuple[ConfigChange, ...]


class IncrementalAlterConfigsRequest(Message, frozen=True, kw_only=True):
    """Change single settings."""

    resources: tuple[ChangedResource, ...]
    validate_only: bool


class TopicPartitions(Message, frozen=True, kw_only=True):
    """Partitions of one topic by their numbers."""

    topic: str
    partitions: tuple[int, ...]


class DescribeLogDirsRequest(Message, frozen=True, kw_only=True):
    """Describe the log folders with these partitions, with all when null."""

    topics: tuple[TopicPartitions, ...] | None


class ElectLeadersRequest(Message, frozen=True, kw_only=True):
    """Elect leaders for these partitions, for all when null."""

    topic_partitions: tuple[TopicPartitions, ...] | None


class MovedTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic that are to move."""

    name: str
    partitions: tuple[int, ...]


class MovedToFolder(Message, frozen=True, kw_only=True):
    """What is to move into one folder."""

    path: str
    topics: tuple[MovedTopic, ...]


class AlterReplicaLogDirsRequest(Message, frozen=True, kw_only=True):
    """Move partitions between folders."""

    dirs: tuple[MovedToFolder, ...]


class ReassignedPartition(Message, frozen=True, kw_only=True):
    """The brokers that one partition goes to; null ends a move."""

    partition_index: int
    replicas: tuple[int, ...] | None


class ReassignedTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[ReassignedPartition, ...]


class AlterPartitionReassignmentsRequest(Message, frozen=True, kw_only=True):
    """Move partitions between brokers."""

    topics: tuple[ReassignedTopic, ...]


class ListPartitionReassignmentsRequest(Message, frozen=True, kw_only=True):
    """What moves?"""


class DescribeAclsRequest(Message, frozen=True, kw_only=True):
    """Which access rules are there?"""


class Opaque(Message, frozen=True, kw_only=True):
    """Something of which only the number counts."""


class CreateAclsRequest(Message, frozen=True, kw_only=True):
    """Add access rules."""

    creations: tuple[Opaque, ...]


class DeleteAclsRequest(Message, frozen=True, kw_only=True):
    """Remove access rules."""

    filters: tuple[Opaque, ...]


class DescribeProducersRequest(Message, frozen=True, kw_only=True):
    """Who writes to partitions?"""

    topics: tuple[TopicPartitionIndexes, ...]


class ListTransactionsRequest(Message, frozen=True, kw_only=True):
    """Which transactions are there?"""

    state_filters: tuple[str, ...]


class DescribeTransactionsRequest(Message, frozen=True, kw_only=True):
    """Describe transactions."""

    transactional_ids: tuple[str, ...]


class UserName(Message, frozen=True, kw_only=True):
    """An account by its name."""

    name: str


class DescribeUserScramCredentialsRequest(Message, frozen=True, kw_only=True):
    """How do these accounts log in? All when none is named."""

    users: tuple[UserName, ...]


class DescribeClientQuotasRequest(Message, frozen=True, kw_only=True):
    """Which quotas are there?"""
