"""What a cluster of one broker has little to say about: log folders, leader elections, reassignments, access control."""

from medkg_lab.broker.embedded import disk, requests, responses
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service


async def describe_log_dirs(
    service: Service, request: Request[requests.DescribeLogDirsRequest], peer: Peer
) -> responses.DescribeLogDirsResponse:
    """The one folder with the bytes of each partition asked for."""
    if refused := peer.refusal(Kind.CLUSTER):
        return responses.DescribeLogDirsResponse(error_code=refused)
    asked = request.body.topics
    names = list(service.store.topics) if asked is None else [topic.topic for topic in asked]
    wanted = None if asked is None else {topic.topic: set(topic.partitions) for topic in asked}
    topics = []
    for name in names:
        found = service.store.topics.get(name)
        partitions = tuple(
            responses.LogDirPartition(partition_index=log.partition, partition_size=0 if log.offline else log.size)
            for log in (found.logs if found else ())
            if wanted is None or log.partition in wanted[name]
        )
        if partitions:
            topics.append(responses.LogDirTopic(name=name, partitions=partitions))
    folder = responses.LogDir(
        log_dir=str(service.store.root),
        topics=tuple(topics),
        total_bytes=disk.total_bytes(service.store.root),
        usable_bytes=disk.free_bytes(service.store.root),
    )
    return responses.DescribeLogDirsResponse(results=(folder,))


async def elect_leaders(
    service: Service, request: Request[requests.ElectLeadersRequest], peer: Peer
) -> responses.ElectLeadersResponse:
    """Every partition has its leader already."""
    if refused := peer.refusal(Kind.CLUSTER):
        return responses.ElectLeadersResponse(error_code=refused)
    asked = request.body.topic_partitions
    if asked is None:
        wanted = [(name, tuple(range(len(topic.logs)))) for name, topic in service.store.topics.items()]
    else:
        wanted = [(topic.topic, topic.partitions) for topic in asked]
    results = tuple(
        responses.TopicElections(
            topic=topic,
            partition_result=tuple(
                _election(partition, service.store.has(topic, partition)) for partition in partitions
            ),
        )
        for topic, partitions in wanted
    )
    return responses.ElectLeadersResponse(replica_election_results=results)


def _election(partition: int, known: bool) -> responses.Election:
    code = Code.ELECTION_NOT_NEEDED if known else Code.UNKNOWN_TOPIC_OR_PARTITION
    message = "the only broker leads already" if known else "there is no such partition"
    return responses.Election(partition_id=partition, error_code=code, error_message=message)


async def alter_replica_log_dirs(
    service: Service, request: Request[requests.AlterReplicaLogDirsRequest], peer: Peer
) -> responses.AlterReplicaLogDirsResponse:
    """Partitions can be moved to where they are: there is one folder."""
    results = []
    for folder in request.body.dirs:
        here = folder.path == str(service.store.root)
        for topic in folder.topics:
            partitions = tuple(
                responses.PartitionResult(
                    partition_index=partition, error_code=_move(service, peer, topic.name, partition, here)
                )
                for partition in topic.partitions
            )
            results.append(responses.MovedTopicResult(topic_name=topic.name, partitions=partitions))
    return responses.AlterReplicaLogDirsResponse(results=tuple(results))


def _move(service: Service, peer: Peer, topic: str, partition: int, possible: bool) -> Code:
    if refused := peer.refusal(Kind.CLUSTER):
        return refused
    if not service.store.has(topic, partition):
        return Code.UNKNOWN_TOPIC_OR_PARTITION
    return Code.NONE if possible else Code.LOG_DIR_NOT_FOUND


async def alter_partition_reassignments(
    service: Service, request: Request[requests.AlterPartitionReassignmentsRequest], peer: Peer
) -> responses.AlterPartitionReassignmentsResponse:
    """A partition can be given to the one broker, which has it already."""
    if refused := peer.refusal(Kind.CLUSTER):
        return responses.AlterPartitionReassignmentsResponse(error_code=refused)
    topics = tuple(
        responses.TopicReassignments(
            name=topic.name,
            partitions=tuple(_reassignment(service, topic.name, entry) for entry in topic.partitions),
        )
        for topic in request.body.topics
    )
    return responses.AlterPartitionReassignmentsResponse(responses=topics)


def _reassignment(service: Service, topic: str, entry: requests.ReassignedPartition) -> responses.ExplainedPartition:
    code, message = Code.NONE, None
    if not service.store.has(topic, entry.partition_index):
        code, message = Code.UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition"
    elif entry.replicas is None:
        code, message = Code.NO_REASSIGNMENT_IN_PROGRESS, "nothing is being moved"
    elif entry.replicas != (NODE_ID,):
        code, message = Code.INVALID_REPLICA_ASSIGNMENT, f"there is one broker, {NODE_ID}"
    return responses.ExplainedPartition(partition_index=entry.partition_index, error_code=code, error_message=message)


async def list_partition_reassignments(
    _: Service, __: Request[requests.ListPartitionReassignmentsRequest], peer: Peer
) -> responses.ListPartitionReassignmentsResponse:
    """Nothing ever moves."""
    return responses.ListPartitionReassignmentsResponse(error_code=peer.refusal(Kind.CLUSTER))


_FIXED_RIGHTS = "the rights of the two accounts are fixed"


def _no_access_control(peer: Peer) -> Code:
    return peer.refusal(Kind.CLUSTER) or Code.SECURITY_DISABLED


async def describe_acls(
    _: Service, __: Request[requests.DescribeAclsRequest], peer: Peer
) -> responses.DescribeAclsResponse:
    """Refused."""
    return responses.DescribeAclsResponse(error_code=_no_access_control(peer), error_message=_FIXED_RIGHTS)


async def create_acls(
    _: Service, request: Request[requests.CreateAclsRequest], peer: Peer
) -> responses.CreateAclsResponse:
    """Each refused."""
    refusal = responses.MessageResult(error_code=_no_access_control(peer), error_message=_FIXED_RIGHTS)
    return responses.CreateAclsResponse(results=(refusal,) * len(request.body.creations))


async def delete_acls(
    _: Service, request: Request[requests.DeleteAclsRequest], peer: Peer
) -> responses.DeleteAclsResponse:
    """Each refused."""
    refusal = responses.DeletedAcls(error_code=_no_access_control(peer), error_message=_FIXED_RIGHTS)
    return responses.DeleteAclsResponse(filter_results=(refusal,) * len(request.body.filters))
