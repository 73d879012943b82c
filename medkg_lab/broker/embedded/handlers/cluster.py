"""ApiVersions, Metadata, DescribeCluster and FindCoordinator: what there is and where."""

from typing import Any

from medkg_lab.broker.embedded.batch import LEADER_EPOCH
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service

_GROUP_KEY = 0


async def metadata(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """The broker and the topics asked for; topics are never made by asking for them."""
    asked = request.body["topics"]
    # In version 0 an empty list asks for all topics; later versions say so with null.
    everything = asked is None or (request.head.version == 0 and not asked)
    names = list(service.store.topics) if everything else [topic["name"] for topic in asked or ()]
    return {
        "throttle_time": 0,
        "brokers": [{"node_id": NODE_ID, "host": service.host, "port": service.port, "rack": None}],
        "cluster_id": service.meta.cluster_id,
        "controller_id": NODE_ID,
        "topics": [_topic(service, name) for name in names],
    }


def _topic(service: Service, name: str) -> dict[str, Any]:
    topic = service.store.topics.get(name)
    partition = {"error_code": Code.NONE, "leader_id": NODE_ID, "leader_epoch": LEADER_EPOCH}
    nodes = {"replica_nodes": [NODE_ID], "isr_nodes": [NODE_ID], "offline_replicas": []}
    return {
        "error_code": Code.NONE if topic else Code.UNKNOWN_TOPIC_OR_PARTITION,
        "name": name,
        "is_internal": False,
        "partitions": [
            partition | nodes | {"partition_index": index} for index in range(len(topic.logs) if topic else 0)
        ],
    }


async def describe_cluster(service: Service, _: Request, __: Peer) -> dict[str, Any]:
    """The cluster of one."""
    return {
        "throttle_time": 0,
        "error_code": Code.NONE,
        "error_message": None,
        "cluster_id": service.meta.cluster_id,
        "controller_id": NODE_ID,
        "brokers": [{"broker_id": NODE_ID, "host": service.host, "port": service.port, "rack": None}],
    }


async def find_coordinator(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """The coordinator of every group is this broker; transactions have none."""
    body: dict[str, Any] = {"throttle_time": 0, "error_message": None}
    if request.body.get("key_type", _GROUP_KEY) != _GROUP_KEY:
        # The one code on which clients give up at once; others they ask again and again.
        code = Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        refusal = {"error_code": code, "error_message": "transactions are not offered"}
        return body | refusal | {"node_id": -1, "host": "", "port": -1}
    return body | {"error_code": Code.NONE, "node_id": NODE_ID, "host": service.host, "port": service.port}
