"""ApiVersions, Metadata, DescribeCluster and FindCoordinator: what there is and where."""

import contextlib

import msgspec

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.batch import LEADER_EPOCH
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service
from medkg_lab.broker.embedded.store import is_topic_name

_GROUP_KEY, _TRANSACTION_KEY = 0, 1
_MANY_SINCE = 4
_LARGEST_PAGE = 2000
# Sets of bits by the numbers of `AclOperation` (KIP-430): the lab's account may do everything that exists.
_OF_TOPIC = sum(1 << operation for operation in (3, 4, 5, 6, 7, 8, 10, 11))
_OF_CLUSTER = sum(1 << operation for operation in (5, 7, 8, 9, 10, 11, 12))
# A producer writes and describes its topic, describes the cluster and writes idempotently.
_OF_PRODUCERS_TOPIC = sum(1 << operation for operation in (4, 8, 10))
_OF_PRODUCERS_CLUSTER = sum(1 << operation for operation in (8, 12))


async def metadata(
    service: Service, request: Request[requests.MetadataRequest], peer: Peer
) -> responses.MetadataResponse:
    """The broker and the topics asked for; one that is not there is made when the broker and the client allow it."""
    body = request.body
    # In version 0 an empty list asks for all topics; later versions say so with null.
    everything = body.topics is None or (request.head.version == 0 and not body.topics)
    names: list[str | None] = (
        _visible_topics(service, peer) if everything else [topic.name for topic in body.topics or ()]
    )
    if service.auto_create and peer.rights.all and body.allow_auto_topic_creation:
        await _make_missing(service, names)
    operations = _operations(peer) if body.include_topic_authorized_operations else responses.NOT_ASKED
    return responses.MetadataResponse(
        brokers=(responses.MetadataBroker(node_id=NODE_ID, host=service.host, port=service.port),),
        cluster_id=service.meta.cluster_id,
        controller_id=NODE_ID,
        topics=tuple(_topic(service, peer, name, operations) for name in names),
        cluster_authorized_operations=_cluster_operations(body.include_cluster_authorized_operations, peer),
    )


def _visible_topics(service: Service, peer: Peer) -> list[str | None]:
    """The topics that `peer` may know of."""
    return [name for name in service.store.topics if not peer.refusal(Kind.TOPIC, name)]


def _operations(peer: Peer) -> int:
    return _OF_TOPIC if peer.rights.all else _OF_PRODUCERS_TOPIC


async def _make_missing(service: Service, names: list[str | None]) -> None:
    for name in names:
        # The lab's own are made with the partitions and settings that they need, or not at all.
        if name is not None and name not in service.store.topics and not service.store.is_ours(name):
            # Refused: the answer will say that there is no such topic, or another request made it first.
            with contextlib.suppress(Refused):
                await service.store.create_requested(name)


def _cluster_operations(asked: bool, peer: Peer) -> int:
    if not asked:
        return responses.NOT_ASKED
    return _OF_CLUSTER if peer.rights.all else _OF_PRODUCERS_CLUSTER


def _topic(service: Service, peer: Peer, name: str | None, operations: int) -> responses.DescribedTopic:
    if name is None:
        return responses.DescribedTopic(
            error_code=Code.UNKNOWN_TOPIC_ID, name=None, topic_authorized_operations=operations
        )
    refused = peer.refusal(Kind.TOPIC, name)
    topic = None if refused else service.store.topics.get(name)
    unknown = Code.UNKNOWN_TOPIC_OR_PARTITION if is_topic_name(name) else Code.INVALID_TOPIC_EXCEPTION
    return responses.DescribedTopic(
        error_code=Code.NONE if topic else refused or unknown,
        name=name,
        partitions=tuple(_partition(index) for index in range(len(topic.logs) if topic else 0)),
        topic_authorized_operations=operations,
    )


def _partition(index: int) -> responses.MetadataPartition:
    return responses.MetadataPartition(
        partition_index=index,
        leader_id=NODE_ID,
        leader_epoch=LEADER_EPOCH,
        replica_nodes=(NODE_ID,),
        isr_nodes=(NODE_ID,),
    )


async def describe_topic_partitions(
    service: Service, request: Request[requests.DescribeTopicPartitionsRequest], peer: Peer
) -> responses.DescribeTopicPartitionsResponse:
    """Topics by name with their partitions, in pages: where the next one begins is in `next_cursor`."""
    body = request.body
    names = sorted({topic.name for topic in body.topics} or map(str, _visible_topics(service, peer)))
    cursor = body.cursor or requests.PartitionCursor(topic_name="", partition_index=0)
    room = min(max(body.response_partition_limit, 1), _LARGEST_PAGE)
    topics: list[responses.DescribedTopic] = []
    following = None
    for name in (name for name in names if name >= cursor.topic_name):
        begin = max(cursor.partition_index, 0) if name == cursor.topic_name else 0
        topic = _topic(service, peer, name, _operations(peer))
        if room == 0:
            following = requests.PartitionCursor(topic_name=name, partition_index=begin)
            break
        page = topic.partitions[begin : begin + room]
        topics.append(msgspec.structs.replace(topic, partitions=page))
        room -= len(page)
        if begin + len(page) < len(topic.partitions):
            following = requests.PartitionCursor(topic_name=name, partition_index=begin + len(page))
            break
    return responses.DescribeTopicPartitionsResponse(topics=tuple(topics), next_cursor=following)


async def describe_cluster(
    service: Service, request: Request[requests.DescribeClusterRequest], peer: Peer
) -> responses.DescribeClusterResponse:
    """The cluster of one."""
    return responses.DescribeClusterResponse(
        endpoint_type=request.body.endpoint_type,
        cluster_id=service.meta.cluster_id,
        controller_id=NODE_ID,
        brokers=(responses.ClusterBroker(broker_id=NODE_ID, host=service.host, port=service.port),),
        cluster_authorized_operations=_cluster_operations(request.body.include_cluster_authorized_operations, peer),
    )


async def find_coordinator(
    service: Service, request: Request[requests.FindCoordinatorRequest], peer: Peer
) -> responses.FindCoordinatorResponse:
    """The coordinator of every group is this broker; transactions have none. From version 4 on several are asked for at once."""
    body = request.body
    if request.head.version >= _MANY_SINCE:
        found = tuple(_coordinator(service, peer, body.key_type, key) for key in body.coordinator_keys)
        return responses.FindCoordinatorResponse(coordinators=found)
    one = _coordinator(service, peer, body.key_type, body.key)
    return responses.FindCoordinatorResponse(
        error_code=one.error_code, error_message=one.error_message, node_id=one.node_id, host=one.host, port=one.port
    )


def _coordinator(service: Service, peer: Peer, kind: int, key: str) -> responses.Coordinator:
    code, message = Code.NONE, None
    if kind == _GROUP_KEY:
        code = peer.refusal(Kind.GROUP, key)
    elif kind == _TRANSACTION_KEY:
        # The one code on which clients give up at once; others they ask repeatedly.
        code, message = Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "transactions are not offered"
    else:
        code, message = Code.INVALID_REQUEST, "coordinators are those of groups"
    if code:
        return responses.Coordinator(key=key, error_code=code, error_message=message)
    return responses.Coordinator(key=key, node_id=NODE_ID, host=service.host, port=service.port)
