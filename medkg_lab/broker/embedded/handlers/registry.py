"""What this broker offers: each API with its key, its versions and its handler. What is not here is not advertised.

Keys and versions are those of https://kafka.apache.org/protocol#protocol_api_keys. Fetch ends at 12, the
last version that names topics; topics have no UUID here, and Metadata says so with a zero where its versions have one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.codec import Answer, Head, Request
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
from medkg_lab.broker.embedded.service import Peer, Service

Handler = Callable[[Service, Request[Any], Peer], Awaitable[Answer | None]]


@dataclass(frozen=True)
class Api:
    """One API in the versions `low` to `high`, with what its handler reads of a request."""

    key: int
    low: int
    high: int
    request: type[requests.Message]
    handler: Handler


async def api_versions(_: Service, __: Request[requests.Message], ___: Peer) -> Answer:
    """What is offered."""
    return {"error_code": Code.NONE, "throttle_time": 0, "api_keys": [_offer(api) for api in APIS.values()]}


def _offer(api: Api) -> Answer:
    return {"api_key": api.key, "min_version": api.low, "max_version": api.high}


API_VERSIONS = 18
APIS = {
    api.key: api
    for api in (
        Api(0, 3, 9, requests.Produce, produce.produce),
        Api(1, 4, 12, requests.Fetch, fetch.fetch),
        Api(2, 1, 7, requests.ListOffsets, offsets.list_offsets),
        Api(3, 0, 12, requests.Metadata, cluster.metadata),
        Api(8, 2, 8, requests.OffsetCommit, commits.offset_commit),
        Api(9, 1, 9, requests.OffsetFetch, commits.offset_fetch),
        Api(10, 0, 6, requests.FindCoordinator, cluster.find_coordinator),
        Api(11, 0, 7, requests.JoinGroup, groups.join_group),
        Api(12, 0, 4, requests.Heartbeat, groups.heartbeat),
        Api(13, 0, 4, requests.LeaveGroup, groups.leave_group),
        Api(14, 0, 5, requests.SyncGroup, groups.sync_group),
        Api(15, 0, 5, requests.DescribeGroups, groups.describe_groups),
        Api(16, 0, 5, requests.ListGroups, groups.list_groups),
        Api(17, 0, 1, requests.SaslHandshake, sasl.handshake),
        Api(API_VERSIONS, 0, 3, requests.Message, api_versions),
        Api(19, 2, 7, requests.CreateTopics, admin.create_topics),
        Api(20, 1, 6, requests.DeleteTopics, admin.delete_topics),
        Api(21, 0, 2, requests.DeleteRecords, offsets.delete_records),
        Api(22, 0, 4, requests.InitProducerId, produce.init_producer_id),
        Api(23, 2, 4, requests.OffsetForLeaderEpoch, offsets.offset_for_leader_epoch),
        Api(29, 1, 3, requests.Message, node.describe_acls),
        Api(30, 1, 3, requests.CreateAcls, node.create_acls),
        Api(31, 1, 3, requests.DeleteAcls, node.delete_acls),
        Api(32, 1, 4, requests.DescribeConfigs, configs.describe_configs),
        Api(33, 0, 2, requests.AlterConfigs, configs.alter_configs),
        Api(34, 1, 2, requests.AlterReplicaLogDirs, node.alter_replica_log_dirs),
        Api(35, 1, 4, requests.DescribeLogDirs, node.describe_log_dirs),
        Api(36, 0, 2, requests.SaslAuthenticate, sasl.authenticate),
        Api(37, 0, 3, requests.CreatePartitions, admin.create_partitions),
        Api(42, 0, 2, requests.DeleteGroups, commits.delete_groups),
        Api(43, 0, 2, requests.ElectLeaders, node.elect_leaders),
        Api(44, 0, 1, requests.AlterConfigs, configs.incremental_alter_configs),
        Api(45, 0, 0, requests.AlterPartitionReassignments, node.alter_partition_reassignments),
        Api(46, 0, 0, requests.Message, node.list_partition_reassignments),
        Api(47, 0, 0, requests.OffsetDelete, commits.offset_delete),
        Api(48, 0, 1, requests.Message, inspecting.describe_client_quotas),
        Api(50, 0, 0, requests.DescribeUserScramCredentials, inspecting.describe_user_scram_credentials),
        Api(60, 0, 2, requests.DescribeCluster, cluster.describe_cluster),
        Api(61, 0, 0, requests.DescribeProducers, inspecting.describe_producers),
        Api(65, 0, 0, requests.DescribeTransactions, inspecting.describe_transactions),
        Api(66, 0, 1, requests.ListTransactions, inspecting.list_transactions),
        Api(68, 0, 1, requests.GroupMember, groups.consumer_group_heartbeat),
        Api(74, 1, 1, requests.ListConfigResources, configs.list_config_resources),
        Api(75, 0, 0, requests.DescribeTopicPartitions, cluster.describe_topic_partitions),
        Api(76, 1, 1, requests.GroupMember, groups.share_group_heartbeat),
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


def newer_api_versions(head: Head) -> tuple[Head, Answer]:
    """The answer to an ApiVersions request of a version yet to come: in version 0, which every client reads, so that it asks
    again with a version that is offered (KIP-511)."""
    body = {"error_code": Code.UNSUPPORTED_VERSION, "api_keys": [_offer(APIS[API_VERSIONS])]}
    return Head(API_VERSIONS, 0, head.correlation_id), body
