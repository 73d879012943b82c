"""What this broker offers: each API with its key, its versions and its handler. What is not here is not advertised.

Keys and versions are those of https://kafka.apache.org/protocol#protocol_api_keys. Fetch ends at 12, the
last version that names topics; topics have no UUID here, and Metadata says so with a zero where its versions have one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.codec import Head, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.handlers import (
    admin,
    cluster,
    commits,
    configs,
    fetch,
    groups,
    inspecting,
    node,
    offsets,
    produce,
    sasl,
)
from medkg_lab.broker.embedded.requests import Message
from medkg_lab.broker.embedded.responses import ApiVersionsResponse, OfferedApi
from medkg_lab.broker.embedded.service import Peer, Service

RetrieverQuery = TypeVar("RetrieverQuery", bound=Message)


@dataclass(frozen=True)
class Api:
    """One API in the versions `low` to `high`; its requests are decoded into `request`, which is what `handler` takes."""

    key: int
    low: int
    high: int
    request: type[Message]
    handler: Callable[[Service, Request[Any], Peer], Awaitable[Message | None]]


def _api(
    key: int,
    low: int,
    high: int,
    request: type[RetrieverQuery],
    handler: Callable[[Service, Request[RetrieverQuery], Peer], Awaitable[Message | None]],
) -> Api:
    """An Api whose handler takes the requests that are decoded for it, which the type of Api cannot say."""
    return Api(key, low, high, request, handler)


async def api_versions(_: Service, __: Request[requests.ApiVersionsRequest], ___: Peer) -> ApiVersionsResponse:
    """What is offered."""
    return ApiVersionsResponse(api_keys=tuple(_offer(api) for api in APIS.values()))


def _offer(api: Api) -> OfferedApi:
    return OfferedApi(api_key=api.key, min_version=api.low, max_version=api.high)


API_VERSIONS = 18
APIS = {
    api.key: api
    for api in (
        _api(0, 3, 9, requests.ProduceRequest, produce.produce),
        _api(1, 4, 12, requests.FetchRequest, fetch.fetch),
        _api(2, 1, 7, requests.ListOffsetsRequest, offsets.list_offsets),
        _api(3, 0, 12, requests.MetadataRequest, cluster.metadata),
        _api(8, 2, 8, requests.OffsetCommitRequest, commits.offset_commit),
        _api(9, 1, 9, requests.OffsetFetchRequest, commits.offset_fetch),
        _api(10, 0, 6, requests.FindCoordinatorRequest, cluster.find_coordinator),
        _api(11, 0, 7, requests.JoinGroupRequest, groups.join_group),
        _api(12, 0, 4, requests.HeartbeatRequest, groups.heartbeat),
        _api(13, 0, 4, requests.LeaveGroupRequest, groups.leave_group),
        _api(14, 0, 5, requests.SyncGroupRequest, groups.sync_group),
        _api(15, 0, 5, requests.DescribeGroupsRequest, groups.describe_groups),
        _api(16, 0, 5, requests.ListGroupsRequest, groups.list_groups),
        _api(17, 0, 1, requests.SaslHandshakeRequest, sasl.handshake),
        _api(API_VERSIONS, 0, 3, requests.ApiVersionsRequest, api_versions),
        _api(19, 2, 7, requests.CreateTopicsRequest, admin.create_topics),
        _api(20, 1, 6, requests.DeleteTopicsRequest, admin.delete_topics),
        _api(21, 0, 2, requests.DeleteRecordsRequest, offsets.delete_records),
        _api(22, 0, 4, requests.InitProducerIdRequest, produce.init_producer_id),
        _api(23, 2, 4, requests.OffsetForLeaderEpochRequest, offsets.offset_for_leader_epoch),
        _api(29, 1, 3, requests.DescribeAclsRequest, node.describe_acls),
        _api(30, 1, 3, requests.CreateAclsRequest, node.create_acls),
        _api(31, 1, 3, requests.DeleteAclsRequest, node.delete_acls),
        _api(32, 1, 4, requests.DescribeConfigsRequest, configs.describe_configs),
        _api(33, 0, 2, requests.AlterConfigsRequest, configs.alter_configs),
        _api(34, 1, 2, requests.AlterReplicaLogDirsRequest, node.alter_replica_log_dirs),
        _api(35, 1, 4, requests.DescribeLogDirsRequest, node.describe_log_dirs),
        _api(36, 0, 2, requests.SaslAuthenticateRequest, sasl.authenticate),
        _api(37, 0, 3, requests.CreatePartitionsRequest, admin.create_partitions),
        _api(42, 0, 2, requests.DeleteGroupsRequest, commits.delete_groups),
        _api(43, 0, 2, requests.ElectLeadersRequest, node.elect_leaders),
        _api(44, 0, 1, requests.IncrementalAlterConfigsRequest, configs.incremental_alter_configs),
        _api(45, 0, 0, requests.AlterPartitionReassignmentsRequest, node.alter_partition_reassignments),
        _api(46, 0, 0, requests.ListPartitionReassignmentsRequest, node.list_partition_reassignments),
        _api(47, 0, 0, requests.OffsetDeleteRequest, commits.offset_delete),
        _api(48, 0, 1, requests.DescribeClientQuotasRequest, inspecting.describe_client_quotas),
        _api(50, 0, 0, requests.DescribeUserScramCredentialsRequest, inspecting.describe_user_scram_credentials),
        _api(60, 0, 2, requests.DescribeClusterRequest, cluster.describe_cluster),
        _api(61, 0, 0, requests.DescribeProducersRequest, inspecting.describe_producers),
        _api(65, 0, 0, requests.DescribeTransactionsRequest, inspecting.describe_transactions),
        _api(66, 0, 1, requests.ListTransactionsRequest, inspecting.list_transactions),
        _api(68, 0, 1, requests.NewGroupHeartbeatRequest, groups.consumer_group_heartbeat),
        _api(74, 1, 1, requests.ListConfigResourcesRequest, configs.list_config_resources),
        _api(75, 0, 0, requests.DescribeTopicPartitionsRequest, cluster.describe_topic_partitions),
        _api(76, 1, 1, requests.NewGroupHeartbeatRequest, groups.share_group_heartbeat),
    )
}


CHANGES = frozenset({8, 19, 20, 21, 33, 37, 42, 44, 47})
"""What changes offsets, topics, groups or settings: a request behind one of these on the same connection finds it done."""
OPEN = frozenset({17, API_VERSIONS, 36})
"""What is answered to a client that is not let in yet."""


def find(head: Head) -> Api | None:
    """The API that `head` asks for, or None when it is not offered in that version."""
    api = APIS.get(head.api_key)
    return api if api and api.low <= head.version <= api.high else None


def newer_api_versions(head: Head) -> tuple[Head, ApiVersionsResponse]:
    """The answer to an ApiVersions request of a version yet to come: in version 0, which every client reads, so that it asks
    again with a version that is offered (KIP-511)."""
    body = ApiVersionsResponse(error_code=Code.UNSUPPORTED_VERSION, api_keys=(_offer(APIS[API_VERSIONS]),))
    return Head(API_VERSIONS, 0, head.correlation_id), body
