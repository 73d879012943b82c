"""CreateTopics, DeleteTopics and CreatePartitions."""

import time

from medkg_lab.broker.embedded import requests, responses, topic_config
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service
from medkg_lab.broker.removals import Removal


async def create_topics(
    service: Service, request: Request[requests.CreateTopicsRequest], peer: Peer
) -> responses.CreateTopicsResponse:
    """Make topics; one name twice in a request is refused."""
    wanted = request.body.topics
    names = [topic.name for topic in wanted]
    answers = []
    for topic in wanted:
        try:
            peer.check(Kind.TOPIC, topic.name)
            if names.count(topic.name) > 1:
                raise Refused(Code.INVALID_REQUEST, f"topic {topic.name} stands in the request more than once")
            made = await _create(service, topic, request.body.validate_only)
            answer = responses.CreatedTopic(name=topic.name, num_partitions=made, replication_factor=1)
        except Refused as refusal:
            answer = responses.CreatedTopic(name=topic.name, error_code=refusal.code, error_message=refusal.detail)
        answers.append(answer)
    return responses.CreateTopicsResponse(topics=tuple(answers))


async def _create(service: Service, topic: requests.NewTopic, validate_only: bool) -> int:
    partitions = topic.num_partitions
    if topic.replication_factor not in (-1, 1) and not topic.assignments:
        raise Refused(Code.INVALID_REPLICATION_FACTOR, "there is one broker, so the replication factor is 1")
    if topic.assignments:
        partitions = _assigned(topic.assignments)
    config = topic_config.by_name(topic.configs)
    count = service.store.check_new(topic.name, partitions, config)
    if not validate_only:
        await service.store.create(topic.name, partitions, config)
    return count


def _assigned(assignments: tuple[requests.ReplicaAssignment, ...]) -> int:
    indexes = sorted(entry.partition_index for entry in assignments)
    if indexes != list(range(len(indexes))) or any(entry.broker_ids != (NODE_ID,) for entry in assignments):
        raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, f"every partition from 0 on is assigned to broker {NODE_ID}")
    return len(indexes)


async def delete_topics(
    service: Service, request: Request[requests.DeleteTopicsRequest], peer: Peer
) -> responses.DeleteTopicsResponse:
    """Remove topics with their records and the offsets committed in them."""
    answers = []
    for name in (*request.body.topic_names, *(topic.name for topic in request.body.topics)):
        try:
            if name is None:
                raise Refused(Code.UNKNOWN_TOPIC_ID, "topics have names and no UUID here")
            peer.check(Kind.TOPIC, name)
            records = sum(log.high_watermark - log.log_start for log in service.store.topic(name).logs)
            await service.store.delete(name)
            service.coordinator.forget_topic(name)
            if service.store.is_ours(name):
                service.removals.note(Removal(time.time(), name, None, records, peer.rights.account))
            answer = responses.DeletedTopicResult(name=name)
        except Refused as refusal:
            answer = responses.DeletedTopicResult(name=name, error_code=refusal.code, error_message=refusal.detail)
        answers.append(answer)
    return responses.DeleteTopicsResponse(responses=tuple(answers))


async def create_partitions(
    service: Service, request: Request[requests.CreatePartitionsRequest], peer: Peer
) -> responses.CreatePartitionsResponse:
    """Give topics more partitions."""
    answers = []
    for topic in request.body.topics:
        try:
            peer.check(Kind.TOPIC, topic.name)
            if any(entry.broker_ids != (NODE_ID,) for entry in topic.assignments):
                raise Refused(Code.INVALID_REPLICA_ASSIGNMENT, f"every partition is assigned to broker {NODE_ID}")
            service.store.check_growth(topic.name, topic.count)
            if not request.body.validate_only:
                await service.store.grow(topic.name, topic.count)
            answer = responses.GrownTopic(name=topic.name)
        except Refused as refusal:
            answer = responses.GrownTopic(name=topic.name, error_code=refusal.code, error_message=refusal.detail)
        answers.append(answer)
    return responses.CreatePartitionsResponse(results=tuple(answers))
