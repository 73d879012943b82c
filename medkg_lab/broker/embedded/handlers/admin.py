"""CreateTopics, DeleteTopics and CreatePartitions."""

import time
from collections.abc import Sequence

from medkg_lab.broker.embedded import requests, topic_config
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service
from medkg_lab.broker.removals import Removal


async def create_topics(service: Service, request: Request[requests.CreateTopics], peer: Peer) -> Answer:
    """Make topics; one name twice in a request is refused."""
    wanted = request.body.topics or []
    names = [topic.name for topic in wanted]
    answers = []
    for topic in wanted:
        answer: Answer = {"name": topic.name, "topic_id": None, "error_code": Code.NONE, "error_message": None}
        answer |= {"num_partitions": -1, "replication_factor": -1, "configs": []}
        try:
            peer.check(Kind.TOPIC, topic.name)
            if names.count(topic.name) > 1:
                raise Refused(Code.INVALID_REQUEST, f"topic {topic.name} stands in the request more than once")
            made = await _create(service, topic, request.body.validate_only)
            answer |= {"num_partitions": made, "replication_factor": 1}
        except Refused as refusal:
            answer |= {"error_code": refusal.code, "error_message": refusal.detail}
        answers.append(answer)
    return {"throttle_time": 0, "topics": answers}


async def _create(service: Service, topic: requests.NewTopic, validate_only: bool) -> int:
    partitions = topic.num_partitions
    if topic.replication_factor not in (-1, 1) and not topic.assignments:
        raise Refused(Code.INVALID_REPLICATION_FACTOR, "there is one broker, so the replication factor is 1")
    if topic.assignments:
        partitions = _assigned(topic.assignments)
    config = {entry.name: topic_config.required(entry.name, entry.value) for entry in topic.configs or ()}
    count = service.store.check_new(topic.name, partitions, config)
    if not validate_only:
        await service.store.create(topic.name, partitions, config)
    return count


def _assigned(assignments: Sequence[requests.Assignment]) -> int:
    indexes = sorted(entry.partition_index for entry in assignments)
    if indexes != list(range(len(indexes))) or any(entry.broker_ids != [NODE_ID] for entry in assignments):
        raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, f"every partition from 0 on is assigned to broker {NODE_ID}")
    return len(indexes)


async def delete_topics(service: Service, request: Request[requests.DeleteTopics], peer: Peer) -> Answer:
    """Remove topics with their records and the offsets committed in them."""
    body = request.body
    responses = []
    for name in (*(body.topic_names or ()), *(topic.name for topic in body.topics or ())):
        answer = {"name": name, "topic_id": None, "error_code": Code.NONE, "error_message": None}
        try:
            if name is None:
                raise Refused(Code.UNKNOWN_TOPIC_ID, "topics have names and no UUID here")
            peer.check(Kind.TOPIC, name)
            records = sum(log.high_watermark - log.log_start for log in service.store.topic(name).logs)
            await service.store.delete(name)
            service.coordinator.forget_topic(name)
            if service.store.is_ours(name):
                service.removals.note(Removal(time.time(), name, None, records, peer.rights.account))
        except Refused as refusal:
            answer |= {"error_code": refusal.code, "error_message": refusal.detail}
        responses.append(answer)
    return {"throttle_time": 0, "responses": responses}


async def create_partitions(service: Service, request: Request[requests.CreatePartitions], peer: Peer) -> Answer:
    """Give topics more partitions."""
    results = []
    for topic in request.body.topics or ():
        answer = {"name": topic.name, "error_code": Code.NONE, "error_message": None}
        try:
            peer.check(Kind.TOPIC, topic.name)
            if any(entry.broker_ids != [NODE_ID] for entry in topic.assignments or ()):
                raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, f"every partition is assigned to broker {NODE_ID}")
            service.store.check_growth(topic.name, topic.count)
            if not request.body.validate_only:
                await service.store.grow(topic.name, topic.count)
        except Refused as refusal:
            answer |= {"error_code": refusal.code, "error_message": refusal.detail}
        results.append(answer)
    return {"throttle_time": 0, "results": results}
