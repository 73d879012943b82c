"""Produce and InitProducerId."""

import sqlite3
from dataclasses import dataclass

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.batch import check_unpacked, read_header
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused, StorageFailed
from medkg_lab.broker.embedded.log import Appended, PartitionLog
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_ACKS = (-1, 0, 1)


@dataclass
class _Outcome:
    topic: str
    partition: int
    code: Code = Code.NONE
    message: str | None = None
    log: PartitionLog | None = None
    appended: Appended | None = None

    def answer(self) -> responses.ProducedPartition:
        stored = self.appended is not None and self.code == Code.NONE
        return responses.ProducedPartition(
            index=self.partition,
            error_code=self.code,
            error_message=self.message,
            base_offset=self.appended.base_offset if self.appended and stored else -1,
            log_start_offset=self.log.log_start if self.log and stored else -1,
        )


async def produce(
    service: Service, request: Request[requests.ProduceRequest], peer: Peer
) -> responses.ProduceResponse | None:
    """Store record sets; answered when all of them are on the disk, not at all with acks=0.

    Everything is written before the first wait, so requests of one connection are stored in their order.
    Raises Refused when acks=0 and something was refused: the connection is closed, there is no other way to tell.
    """
    body = request.body
    outcomes = [
        _append(service, peer, topic.name, entry.index, entry.records, body)
        for topic in body.topic_data
        for entry in topic.partition_data
    ]
    if body.acks == 0:
        for outcome in outcomes:
            if outcome.code:
                raise Refused(outcome.code, outcome.message or outcome.code.name)
        return None
    for outcome in outcomes:
        await _wait_until_durable(outcome)
    return responses.ProduceResponse(responses=_by_topic(outcomes))


def _append(
    service: Service, peer: Peer, topic: str, partition: int, records: bytes | None, request: requests.ProduceRequest
) -> _Outcome:
    try:
        peer.check(Kind.TOPIC, topic)
        if request.acks not in _ACKS:
            raise Refused(Code.INVALID_REQUIRED_ACKS, "acks is all, 1 or 0")
        if request.transactional_id is not None:
            raise Refused(Code.INVALID_REQUEST, "transactions are not offered")
        _check_foreign(peer, records or b"")
        log = service.store.log(topic, partition)
        service.store.check_bytes(log, len(records or b""))
        appended = log.append(records, service.store.disk_is_low)
    except Refused as refusal:
        return _Outcome(topic, partition, refusal.code, refusal.detail)
    service.flusher.request(log)
    return _Outcome(topic, partition, log=log, appended=appended)


def _check_foreign(peer: Peer, records: bytes) -> None:
    """Raise Refused for what only the lab's own account may send."""
    batch = read_header(records)
    if peer.rights.all or batch is None:
        return
    if not peer.rights.may_write_as(batch.producer_id):
        raise Refused(Code.CLUSTER_AUTHORIZATION_FAILED, f"producer {batch.producer_id} belongs to another account")
    check_unpacked(batch, records)


async def _wait_until_durable(outcome: _Outcome) -> None:
    if outcome.log is None or outcome.appended is None:
        return
    try:
        await outcome.log.durable(outcome.appended.next_offset)
    except StorageFailed as error:
        outcome.code, outcome.message = Code.KAFKA_STORAGE_ERROR, str(error)


def _by_topic(outcomes: list[_Outcome]) -> tuple[responses.ProducedTopic, ...]:
    answers: dict[str, list[responses.ProducedPartition]] = {}
    for outcome in outcomes:
        answers.setdefault(outcome.topic, []).append(outcome.answer())
    return tuple(
        responses.ProducedTopic(name=name, partition_responses=tuple(partitions))
        for name, partitions in answers.items()
    )


async def init_producer_id(
    service: Service, request: Request[requests.InitProducerIdRequest], peer: Peer
) -> responses.InitProducerIdResponse:
    """Give out a producer id that no producer ever had; every one begins at epoch 0."""
    if request.body.transactional_id is not None:
        return responses.InitProducerIdResponse(error_code=Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    if refused := peer.refusal(Kind.CLUSTER):
        return responses.InitProducerIdResponse(error_code=refused)
    try:
        number = await service.meta.run(service.meta.next_producer_number)
    except sqlite3.Error:
        return responses.InitProducerIdResponse(error_code=Code.COORDINATOR_NOT_AVAILABLE)
    return responses.InitProducerIdResponse(producer_id=peer.rights.producer_id(number), producer_epoch=0)
