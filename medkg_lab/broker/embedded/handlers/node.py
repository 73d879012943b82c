"""What a cluster of one broker has little to say about: log folders, leader elections, reassignments, access control."""

from medkg_lab.broker.embedded import disk, requests
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service


async def describe_log_dirs(service: Service, request: Request[requests.DescribeLogDirs], peer: Peer) -> Answer:
    """The one folder with the bytes of each partition asked for."""
    if refused := peer.refusal(Kind.CLUSTER):
        return {"throttle_time": 0, "error_code": refused, "results": []}
    asked = request.body.topics
    names = list(service.store.topics) if asked is None else [topic.topic for topic in asked]
    wanted = None if asked is None else {topic.topic: set(topic.partitions or ()) for topic in asked}
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


async def elect_leaders(service: Service, request: Request[requests.ElectLeaders], peer: Peer) -> Answer:
    """Every partition has its leader already."""
    if refused := peer.refusal(Kind.CLUSTER):
        return {"throttle_time": 0, "error_code": refused, "replica_election_results": []}
    asked = request.body.topic_partitions
    if asked is None:
        asked = [requests.TopicPartitions(name, list(range(len(it.logs)))) for name, it in service.store.topics.items()]
    results = []
    for topic in asked:
        partitions = [
            _election(partition, service.store.has(topic.topic, partition)) for partition in topic.partitions or ()
        ]
        results.append({"topic": topic.topic, "partition_result": partitions})
    return {"throttle_time": 0, "error_code": Code.NONE, "replica_election_results": results}


def _election(partition: int, known: bool) -> Answer:
    code = Code.ELECTION_NOT_NEEDED if known else Code.UNKNOWN_TOPIC_OR_PARTITION
    message = "the only broker leads already" if known else "there is no such partition"
    return {"partition_id": partition, "error_code": code, "error_message": message}


async def alter_replica_log_dirs(
    service: Service, request: Request[requests.AlterReplicaLogDirs], peer: Peer
) -> Answer:
    """Partitions can be moved to where they are: there is one folder."""
    results = []
    for folder in request.body.dirs or ():
        here = folder.path == str(service.store.root)
        for topic in folder.topics or ():
            codes = [_move(service, peer, topic.name, partition, here) for partition in topic.partitions or ()]
            partitions = [
                {"partition_index": partition, "error_code": code}
                for partition, code in zip(topic.partitions or (), codes, strict=True)
            ]
            results.append({"topic_name": topic.name, "partitions": partitions})
    return {"throttle_time": 0, "results": results}


def _move(service: Service, peer: Peer, topic: str, partition: int, possible: bool) -> Code:
    if refused := peer.refusal(Kind.CLUSTER):
        return refused
    if not service.store.has(topic, partition):
        return Code.UNKNOWN_TOPIC_OR_PARTITION
    return Code.NONE if possible else Code.LOG_DIR_NOT_FOUND


async def alter_partition_reassignments(
    service: Service, request: Request[requests.AlterPartitionReassignments], peer: Peer
) -> Answer:
    """A partition can be given to the one broker, which has it already."""
    if refused := peer.refusal(Kind.CLUSTER):
        return {"throttle_time": 0, "error_code": refused, "error_message": None, "responses": []}
    responses = []
    for topic in request.body.topics or ():
        partitions = [_reassignment(service, topic.name, entry) for entry in topic.partitions or ()]
        responses.append({"name": topic.name, "partitions": partitions})
    return {"throttle_time": 0, "error_code": Code.NONE, "error_message": None, "responses": responses}


def _reassignment(service: Service, topic: str, entry: requests.Reassignment) -> Answer:
    code, message = Code.NONE, None
    if not service.store.has(topic, entry.partition_index):
        code, message = Code.UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition"
    elif entry.replicas is None:
        code, message = Code.NO_REASSIGNMENT_IN_PROGRESS, "nothing is being moved"
    elif entry.replicas != [NODE_ID]:
        code, message = Code.INVALID_REPLICA_ASSIGNMENT, f"there is one broker, {NODE_ID}"
    return {"partition_index": entry.partition_index, "error_code": code, "error_message": message}


async def list_partition_reassignments(_: Service, __: Request[requests.Message], peer: Peer) -> Answer:
    """Nothing ever moves."""
    return {"throttle_time": 0, "error_code": peer.refusal(Kind.CLUSTER), "error_message": None, "topics": []}


def _no_access_control(peer: Peer) -> Answer:
    code = peer.refusal(Kind.CLUSTER) or Code.SECURITY_DISABLED
    return {"error_code": code, "error_message": "the rights of the two accounts are fixed"}


async def describe_acls(_: Service, __: Request[requests.Message], peer: Peer) -> Answer:
    """Refused."""
    return {"throttle_time": 0, "resources": []} | _no_access_control(peer)


async def create_acls(_: Service, request: Request[requests.CreateAcls], peer: Peer) -> Answer:
    """Each refused."""
    return {"throttle_time": 0, "results": [_no_access_control(peer) for _ in request.body.creations or ()]}


async def delete_acls(_: Service, request: Request[requests.DeleteAcls], peer: Peer) -> Answer:
    """Each refused."""
    refusal = _no_access_control(peer) | {"matching_acls": []}
    return {"throttle_time": 0, "filter_results": [refusal for _ in request.body.filters or ()]}
