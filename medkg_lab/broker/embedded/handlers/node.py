"""What a cluster of one broker has little to say about: log folders, leader elections, reassignments, access control."""

from typing import Any

from medkg_lab.broker.embedded import disk
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.service import Peer, Service


async def describe_log_dirs(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """The one folder with the bytes of each partition asked for."""
    asked = request.body["topics"]
    names = list(service.store.topics) if asked is None else [topic["topic"] for topic in asked]
    wanted = None if asked is None else {topic["topic"]: set(topic["partitions"] or ()) for topic in asked}
    topics = []
    for name in names:
        found = service.store.topics.get(name)
        partitions = [
            {
                "partition_index": log.partition,
                "partition_size": 0 if log.offline else log.size,
                "offset_lag": 0,
                "is_future_key": False,
            }
            for log in (found.logs if found else ())
            if wanted is None or log.partition in wanted[name]
        ]
        if partitions:
            topics.append({"name": name, "partitions": partitions})
    total, free = disk.total_bytes(service.store.root), disk.free_bytes(service.store.root)
    folder = {"error_code": Code.NONE, "log_dir": str(service.store.root), "topics": topics}
    folder |= {"total_bytes": total, "usable_bytes": free}
    return {"throttle_time": 0, "error_code": Code.NONE, "results": [folder]}


async def elect_leaders(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """Every partition has its leader already."""
    asked = request.body["topic_partitions"]
    if asked is None:
        asked = [{"topic": name, "partitions": range(len(it.logs))} for name, it in service.store.topics.items()]
    results = []
    for topic in asked:
        found = service.store.topics.get(topic["topic"])
        partitions = [
            _election(partition, found is not None and 0 <= partition < len(found.logs))
            for partition in topic["partitions"] or ()
        ]
        results.append({"topic": topic["topic"], "partition_result": partitions})
    return {"throttle_time": 0, "error_code": Code.NONE, "replica_election_results": results}


def _election(partition: int, known: bool) -> dict[str, Any]:
    code = Code.ELECTION_NOT_NEEDED if known else Code.UNKNOWN_TOPIC_OR_PARTITION
    message = "the only broker leads already" if known else "there is no such partition"
    return {"partition_id": partition, "error_code": code, "error_message": message}


async def list_partition_reassignments(_: Service, __: Request, ___: Peer) -> dict[str, Any]:
    """Nothing ever moves."""
    return {"throttle_time": 0, "error_code": Code.NONE, "error_message": None, "topics": []}


_NO_ACCESS_CONTROL = {"error_code": Code.SECURITY_DISABLED, "error_message": "there is no access control"}


async def describe_acls(_: Service, __: Request, ___: Peer) -> dict[str, Any]:
    """Refused."""
    return {"throttle_time": 0, "resources": []} | _NO_ACCESS_CONTROL


async def create_acls(_: Service, request: Request, __: Peer) -> dict[str, Any]:
    """Each refused."""
    return {"throttle_time": 0, "results": [_NO_ACCESS_CONTROL for _ in request.body["creations"] or ()]}


async def delete_acls(_: Service, request: Request, __: Peer) -> dict[str, Any]:
    """Each refused."""
    refusal = _NO_ACCESS_CONTROL | {"matching_acls": []}
    return {"throttle_time": 0, "filter_results": [refusal for _ in request.body["filters"] or ()]}
