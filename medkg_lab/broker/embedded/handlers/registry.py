"""What this broker offers: each API with its key, its versions and its handler. What is not here is not advertised.

Keys and versions are those of https://kafka.apache.org/protocol#protocol_api_keys. Fetch ends at 12, the
last version that names topics; topics have no UUID here, and Metadata says so with a zero where its versions have one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

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
from medkg_lab.broker.embedded.service import Peer, Service

Handler = Callable[[Service, Request, Peer], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True)
class Api:
    """One API in the versions `low` to `high`."""

    key: int
    low: int
    high: int
    handler: Handler


async def api_versions(_: Service, __: Request, ___: Peer) -> dict[str, Any]:
    """What is offered."""
    return {"error_code": Code.NONE, "throttle_time": 0, "api_keys": [_offer(api) for api in APIS.values()]}


def _offer(api: Api) -> dict[str, Any]:
    return {"api_key": api.key, "min_version": api.low, "max_version": api.high}


API_VERSIONS = 18
APIS = {
    api.key: api
    for api in (
        Api(0, 3, 9, produce.produce),
        Api(1, 4, 12, fetch.fetch),
        Api(2, 1, 7, offsets.list_offsets),
        Api(3, 0, 12, cluster.metadata),
        Api(8, 2, 8, commits.offset_commit),
        Api(9, 1, 9, commits.offset_fetch),
        Api(10, 0, 6, cluster.find_coordinator),
        Api(11, 0, 7, groups.join_group),
        Api(12, 0, 4, groups.heartbeat),
        Api(13, 0, 4, groups.leave_group),
        Api(14, 0, 5, groups.sync_group),
        Api(15, 0, 5, groups.describe_groups),
        Api(16, 0, 5, groups.list_groups),
        Api(17, 0, 1, sasl.handshake),
        Api(API_VERSIONS, 0, 3, api_versions),
        Api(19, 2, 7, admin.create_topics),
        Api(20, 1, 6, admin.delete_topics),
        Api(21, 0, 2, offsets.delete_records),
        Api(22, 0, 4, produce.init_producer_id),
        Api(23, 2, 4, offsets.offset_for_leader_epoch),
        Api(29, 1, 3, node.describe_acls),
        Api(30, 1, 3, node.create_acls),
        Api(31, 1, 3, node.delete_acls),
        Api(32, 1, 4, configs.describe_configs),
        Api(33, 0, 2, configs.alter_configs),
        Api(34, 1, 2, node.alter_replica_log_dirs),
        Api(35, 1, 4, node.describe_log_dirs),
        Api(36, 0, 2, sasl.authenticate),
        Api(37, 0, 3, admin.create_partitions),
        Api(42, 0, 2, commits.delete_groups),
        Api(43, 0, 2, node.elect_leaders),
        Api(44, 0, 1, configs.incremental_alter_configs),
        Api(45, 0, 0, node.alter_partition_reassignments),
        Api(46, 0, 0, node.list_partition_reassignments),
        Api(47, 0, 0, commits.offset_delete),
        Api(48, 0, 1, inspecting.describe_client_quotas),
        Api(50, 0, 0, inspecting.describe_user_scram_credentials),
        Api(60, 0, 2, cluster.describe_cluster),
        Api(61, 0, 0, inspecting.describe_producers),
        Api(65, 0, 0, inspecting.describe_transactions),
        Api(66, 0, 1, inspecting.list_transactions),
        Api(68, 0, 1, groups.consumer_group_heartbeat),
        Api(74, 1, 1, configs.list_config_resources),
        Api(75, 0, 0, cluster.describe_topic_partitions),
        Api(76, 1, 1, groups.share_group_heartbeat),
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


def newer_api_versions(head: Head) -> tuple[Head, dict[str, Any]]:
    """The answer to an ApiVersions request of a version yet to come: in version 0, which every client reads, so that it asks
    again with a version that is offered (KIP-511)."""
    body = {"error_code": Code.UNSUPPORTED_VERSION, "api_keys": [_offer(APIS[API_VERSIONS])]}
    return Head(API_VERSIONS, 0, head.correlation_id), body
