"""The answers of the Kafka protocol as this broker gives them: one record for each API, for all of its versions together.

The fields are those of Kafka's message definitions in snake case; the codec writes those that the asked version has. Times are
in milliseconds. What this broker never has anything to say for is a default.
"""

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.requests import ConfigResource, Message, PartitionCursor

NOT_ASKED = -(2**31)
"""The set of allowed operations of who did not ask for it (KIP-430)."""


class Response(Message, frozen=True, kw_only=True):
    """What every answer has: clients are never throttled."""

    throttle_time: int = 0


class ErrorResponse(Response, frozen=True, kw_only=True):
    """An answer with one error for all of it."""

    error_code: Code = Code.NONE


class MessageResponse(ErrorResponse, frozen=True, kw_only=True):
    """An answer with one error and its explanation."""

    error_message: str | None = None


class Result(Message, frozen=True, kw_only=True):
    """The part of an answer for one of the things asked for."""

    error_code: Code = Code.NONE


class MessageResult(Result, frozen=True, kw_only=True):
    """A result with an explanation."""

    error_message: str | None = None


class OfferedApi(Message, frozen=True, kw_only=True):
    """One API in the versions that are offered."""

    api_key: int
    min_version: int
    max_version: int


class ApiVersionsResponse(ErrorResponse, frozen=True, kw_only=True):
    """What is offered."""

    api_keys: tuple[OfferedApi, ...]


class ProducedPartition(MessageResult, frozen=True, kw_only=True):
    """Where one record set was stored; -1 where it was not."""

    index: int
    base_offset: int = -1
    log_start_offset: int = -1
    record_errors: tuple[()] = ()


class ProducedTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partition_responses: tuple[ProducedPartition, ...]


class ProduceResponse(Response, frozen=True, kw_only=True):
    """What became of record sets."""

    responses: tuple[ProducedTopic, ...]


class InitProducerIdResponse(ErrorResponse, frozen=True, kw_only=True):
    """A new producer id."""

    producer_id: int = -1
    producer_epoch: int = -1


class FetchedPartition(Result, frozen=True, kw_only=True):
    """Records of one partition."""

    partition_index: int
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    aborted_transactions: tuple[()] = ()
    records: bytes = b""


class FetchedTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    topic: str
    partitions: tuple[FetchedPartition, ...]


class FetchResponse(ErrorResponse, frozen=True, kw_only=True):
    """Records; there are no fetch sessions."""

    responses: tuple[FetchedTopic, ...]


class FoundOffset(Result, frozen=True, kw_only=True):
    """The offset found in one partition."""

    partition_index: int
    timestamp: int = -1
    offset: int = -1
    leader_epoch: int = -1


class FoundOffsets(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[FoundOffset, ...]


class ListOffsetsResponse(Response, frozen=True, kw_only=True):
    """Offsets by time."""

    topics: tuple[FoundOffsets, ...]


class EpochEnd(Result, frozen=True, kw_only=True):
    """Where an epoch ended in one partition."""

    partition: int
    leader_epoch: int = -1
    end_offset: int = -1


class EpochEnds(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    topic: str
    partitions: tuple[EpochEnd, ...]


class OffsetForLeaderEpochResponse(Response, frozen=True, kw_only=True):
    """Where epochs ended."""

    topics: tuple[EpochEnds, ...]


class DeletedRecords(Result, frozen=True, kw_only=True):
    """Where one partition begins now."""

    partition_index: int
    low_watermark: int = -1


class DeletedRecordsTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[DeletedRecords, ...]


class DeleteRecordsResponse(Response, frozen=True, kw_only=True):
    """Where logs begin now."""

    topics: tuple[DeletedRecordsTopic, ...]


class MetadataBroker(Message, frozen=True, kw_only=True):
    """A broker and where it listens."""

    node_id: int
    host: str
    port: int


class MetadataPartition(Result, frozen=True, kw_only=True):
    """One partition and who leads it."""

    partition_index: int
    leader_id: int
    leader_epoch: int
    replica_nodes: tuple[int, ...]
    isr_nodes: tuple[int, ...]


class DescribedTopic(Result, frozen=True, kw_only=True):
    """A topic with its partitions; topics have no UUID here."""

    name: str | None
    topic_id: None = None
    partitions: tuple[MetadataPartition, ...] = ()
    topic_authorized_operations: int = NOT_ASKED


class MetadataResponse(Response, frozen=True, kw_only=True):
    """The brokers and the topics."""

    brokers: tuple[MetadataBroker, ...]
    cluster_id: str
    controller_id: int
    topics: tuple[DescribedTopic, ...]
    cluster_authorized_operations: int


class DescribeTopicPartitionsResponse(Response, frozen=True, kw_only=True):
    """One page of topics."""

    topics: tuple[DescribedTopic, ...]
    next_cursor: PartitionCursor | None


class ClusterBroker(Message, frozen=True, kw_only=True):
    """A broker and where it listens."""

    broker_id: int
    host: str
    port: int
    is_fenced: bool = False


class DescribeClusterResponse(MessageResponse, frozen=True, kw_only=True):
    """The cluster."""

    endpoint_type: int
    cluster_id: str
    controller_id: int
    brokers: tuple[ClusterBroker, ...]
    cluster_authorized_operations: int


class Coordinator(MessageResult, frozen=True, kw_only=True):
    """The coordinator of one group."""

    key: str
    node_id: int = -1
    host: str = ""
    port: int = -1


class FindCoordinatorResponse(MessageResponse, frozen=True, kw_only=True):
    """Coordinators; before version 4 the one asked for."""

    node_id: int = -1
    host: str = ""
    port: int = -1
    coordinators: tuple[Coordinator, ...] = ()


class PartitionResult(Result, frozen=True, kw_only=True):
    """What became of one partition."""

    partition_index: int


class TopicResult(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[PartitionResult, ...]


class OffsetCommitResponse(Response, frozen=True, kw_only=True):
    """What became of positions."""

    topics: tuple[TopicResult, ...]


class Position(Result, frozen=True, kw_only=True):
    """A group's position in one partition, -1 where it has none."""

    partition_index: int
    committed_offset: int
    metadata: str


class TopicPositions(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[Position, ...]


class GroupPositions(Result, frozen=True, kw_only=True):
    """The positions of one group."""

    group_id: str
    topics: tuple[TopicPositions, ...]


class OffsetFetchResponse(ErrorResponse, frozen=True, kw_only=True):
    """Positions; before version 8 those of the one group."""

    topics: tuple[TopicPositions, ...] = ()
    groups: tuple[GroupPositions, ...] = ()


class OffsetDeleteResponse(ErrorResponse, frozen=True, kw_only=True):
    """Which positions were forgotten."""

    topics: tuple[TopicResult, ...] = ()


class GroupResult(Result, frozen=True, kw_only=True):
    """What became of one group."""

    group_id: str


class DeleteGroupsResponse(Response, frozen=True, kw_only=True):
    """What became of groups."""

    results: tuple[GroupResult, ...]


class JoinedMember(Message, frozen=True, kw_only=True):
    """A member as the leader sees it."""

    member_id: str
    group_instance_id: str | None
    metadata: bytes


class JoinGroupResponse(ErrorResponse, frozen=True, kw_only=True):
    """The generation that the group agreed on; before version 7 the protocol's name cannot be null."""

    generation_id: int
    protocol_type: str | None
    protocol_name: str
    leader: str
    member_id: str
    members: tuple[JoinedMember, ...]


class SyncGroupResponse(ErrorResponse, frozen=True, kw_only=True):
    """What the member is assigned."""

    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


class LeftMember(Result, frozen=True, kw_only=True):
    """What became of one member."""

    member_id: str
    group_instance_id: str | None


class LeaveGroupResponse(ErrorResponse, frozen=True, kw_only=True):
    """What became of members."""

    members: tuple[LeftMember, ...] = ()


class ListedGroup(Message, frozen=True, kw_only=True):
    """A group and its state."""

    group_id: str
    protocol_type: str
    group_state: str
    group_type: str


class ListGroupsResponse(ErrorResponse, frozen=True, kw_only=True):
    """The groups."""

    groups: tuple[ListedGroup, ...]


class DescribedMember(Message, frozen=True, kw_only=True):
    """A member and what it owns."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    member_metadata: bytes
    member_assignment: bytes


class DescribedGroup(Result, frozen=True, kw_only=True):
    """A group with its members."""

    group_id: str
    group_state: str = ""
    protocol_type: str = ""
    protocol_data: str = ""
    members: tuple[DescribedMember, ...] = ()
    authorized_operations: int


class DescribeGroupsResponse(Response, frozen=True, kw_only=True):
    """Groups with their members."""

    groups: tuple[DescribedGroup, ...]


class NewGroupHeartbeatResponse(MessageResponse, frozen=True, kw_only=True):
    """The refusal of a group protocol that is not offered."""

    member_id: str
    member_epoch: int = -1
    heartbeat_interval: int = 0


class SaslHandshakeResponse(Message, frozen=True, kw_only=True):
    """The mechanisms."""

    error_code: Code
    mechanisms: tuple[str, ...]


class SaslAuthenticateResponse(Message, frozen=True, kw_only=True):
    """The server's message of the login."""

    error_code: Code
    error_message: str | None
    auth_bytes: bytes


class CreatedTopic(MessageResult, frozen=True, kw_only=True):
    """What became of a new topic."""

    name: str
    topic_id: None = None
    num_partitions: int = -1
    replication_factor: int = -1
    configs: tuple[()] = ()


class CreateTopicsResponse(Response, frozen=True, kw_only=True):
    """What became of new topics."""

    topics: tuple[CreatedTopic, ...]


class DeletedTopicResult(MessageResult, frozen=True, kw_only=True):
    """What became of a topic."""

    name: str | None
    topic_id: None = None


class DeleteTopicsResponse(Response, frozen=True, kw_only=True):
    """What became of topics."""

    responses: tuple[DeletedTopicResult, ...]


class GrownTopic(MessageResult, frozen=True, kw_only=True):
    """What became of a topic."""

    name: str


class CreatePartitionsResponse(Response, frozen=True, kw_only=True):
    """What became of topics."""

    results: tuple[GrownTopic, ...]


class ConfigEntry(Message, frozen=True, kw_only=True):
    """A setting and where it comes from."""

    name: str
    value: str | None
    read_only: bool
    config_source: int
    is_sensitive: bool = False
    synonyms: tuple[()] = ()
    config_type: int
    documentation: None = None


class AlteredConfigs(MessageResult, frozen=True, kw_only=True):
    """What became of the settings of one resource."""

    resource_type: int
    resource_name: str


class DescribedConfigs(AlteredConfigs, frozen=True, kw_only=True):
    """The settings of one resource."""

    configs: tuple[ConfigEntry, ...] = ()


class DescribeConfigsResponse(Response, frozen=True, kw_only=True):
    """Settings."""

    results: tuple[DescribedConfigs, ...]


class ListConfigResourcesResponse(ErrorResponse, frozen=True, kw_only=True):
    """What has settings."""

    config_resources: tuple[ConfigResource, ...] = ()


class AlterConfigsResponse(Response, frozen=True, kw_only=True):
    """What became of settings."""

    responses: tuple[AlteredConfigs, ...]


class LogDirPartition(Message, frozen=True, kw_only=True):
    """The bytes of one partition."""

    partition_index: int
    partition_size: int
    offset_lag: int = 0
    is_future_key: bool = False


class LogDirTopic(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[LogDirPartition, ...]


class LogDir(Result, frozen=True, kw_only=True):
    """A folder and what is in it."""

    log_dir: str
    topics: tuple[LogDirTopic, ...]
    total_bytes: int
    usable_bytes: int


class DescribeLogDirsResponse(ErrorResponse, frozen=True, kw_only=True):
    """The folders."""

    results: tuple[LogDir, ...] = ()


class Election(MessageResult, frozen=True, kw_only=True):
    """What became of the election for one partition."""

    partition_id: int


class TopicElections(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    topic: str
    partition_result: tuple[Election, ...]


class ElectLeadersResponse(ErrorResponse, frozen=True, kw_only=True):
    """What became of elections."""

    replica_election_results: tuple[TopicElections, ...] = ()


class MovedTopicResult(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    topic_name: str
    partitions: tuple[PartitionResult, ...]


class AlterReplicaLogDirsResponse(Response, frozen=True, kw_only=True):
    """What became of moves between folders."""

    results: tuple[MovedTopicResult, ...]


class ExplainedPartition(MessageResult, frozen=True, kw_only=True):
    """What became of one partition, with an explanation."""

    partition_index: int


class TopicReassignments(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[ExplainedPartition, ...]


class AlterPartitionReassignmentsResponse(MessageResponse, frozen=True, kw_only=True):
    """What became of moves between brokers."""

    responses: tuple[TopicReassignments, ...] = ()


class ListPartitionReassignmentsResponse(MessageResponse, frozen=True, kw_only=True):
    """Nothing moves."""

    topics: tuple[()] = ()


class DescribeAclsResponse(MessageResponse, frozen=True, kw_only=True):
    """No access rules."""

    resources: tuple[()] = ()


class CreateAclsResponse(Response, frozen=True, kw_only=True):
    """What became of new access rules."""

    results: tuple[MessageResult, ...]


class DeletedAcls(MessageResult, frozen=True, kw_only=True):
    """What became of access rules."""

    matching_acls: tuple[()] = ()


class DeleteAclsResponse(Response, frozen=True, kw_only=True):
    """What became of access rules."""

    filter_results: tuple[DeletedAcls, ...]


class ActiveProducer(Message, frozen=True, kw_only=True):
    """A producer; when it last wrote is not kept."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    coordinator_epoch: int = -1


class PartitionProducers(ExplainedPartition, frozen=True, kw_only=True):
    """The producers of one partition."""

    active_producers: tuple[ActiveProducer, ...] = ()


class TopicProducers(Message, frozen=True, kw_only=True):
    """The partitions of one topic."""

    name: str
    partitions: tuple[PartitionProducers, ...]


class DescribeProducersResponse(Response, frozen=True, kw_only=True):
    """Producers."""

    topics: tuple[TopicProducers, ...]


class ListTransactionsResponse(ErrorResponse, frozen=True, kw_only=True):
    """No transactions."""

    unknown_state_filters: tuple[str, ...]
    transaction_states: tuple[()] = ()


class NoTransaction(Result, frozen=True, kw_only=True):
    """A transaction that is not there."""

    transactional_id: str
    transaction_state: str = ""
    transaction_timeout: int = 0
    transaction_start_time: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    topics: tuple[()] = ()


class DescribeTransactionsResponse(Response, frozen=True, kw_only=True):
    """Transactions."""

    transaction_states: tuple[NoTransaction, ...]


class ScramCredential(Message, frozen=True, kw_only=True):
    """How an account logs in."""

    mechanism: int
    iterations: int


class ScramUser(MessageResult, frozen=True, kw_only=True):
    """An account."""

    user: str
    credential_infos: tuple[ScramCredential, ...] = ()


class DescribeUserScramCredentialsResponse(MessageResponse, frozen=True, kw_only=True):
    """Accounts."""

    results: tuple[ScramUser, ...] = ()


class DescribeClientQuotasResponse(MessageResponse, frozen=True, kw_only=True):
    """No quotas."""

    entries: tuple[()] = ()
