"""ListOffsets, OffsetForLeaderEpoch and DeleteRecords: where a log begins, ends, and is at a time."""

import sqlite3
import time

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.batch import LEADER_EPOCH
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.handlers.fetch import check_epoch
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service
from medkg_lab.broker.removals import Removal

_LATEST, _EARLIEST, _NEWEST_TIME = -1, -2, -3


async def list_offsets(
    service: Service, request: Request[requests.ListOffsetsRequest], peer: Peer
) -> responses.ListOffsetsResponse:
    """The first offset at or after a time, or the log's beginning (-2), end (-1) or newest time (-3)."""
    topics = []
    for topic in request.body.topics:
        partitions = [await _offset(service, peer, topic.name, entry) for entry in topic.partitions]
        topics.append(responses.FoundOffsets(name=topic.name, partitions=tuple(partitions)))
    return responses.ListOffsetsResponse(topics=tuple(topics))


async def _offset(
    service: Service, peer: Peer, topic: str, entry: requests.ListOffsetsPartition
) -> responses.FoundOffset:
    index = entry.partition_index
    try:
        peer.check(Kind.TOPIC, topic)
        log = service.store.log(topic, index)
        check_epoch(entry.current_leader_epoch)
        found = await _find(log, entry.timestamp)
    except Refused as refusal:
        return responses.FoundOffset(partition_index=index, error_code=refusal.code)
    if found is None:
        return responses.FoundOffset(partition_index=index)
    offset, timestamp = found
    return responses.FoundOffset(partition_index=index, offset=offset, timestamp=timestamp, leader_epoch=LEADER_EPOCH)


async def _find(log: PartitionLog, timestamp: int) -> tuple[int, int] | None:
    log.check_online()
    if timestamp == _LATEST:
        return log.high_watermark, -1
    if timestamp == _EARLIEST:
        return log.log_start, -1
    if timestamp == _NEWEST_TIME:
        return await log.offset_at(log.max_timestamp) if log.max_timestamp >= 0 else None
    if timestamp < 0:
        raise Refused(Code.INVALID_REQUEST, f"time {timestamp}")
    return await log.offset_at(timestamp)


async def offset_for_leader_epoch(
    service: Service, request: Request[requests.OffsetForLeaderEpochRequest], peer: Peer
) -> responses.OffsetForLeaderEpochResponse:
    """Where an epoch ended: there is one epoch, and it ends where the log does."""
    topics = tuple(
        responses.EpochEnds(
            topic=topic.topic,
            partitions=tuple(_epoch_end(service, peer, topic.topic, entry) for entry in topic.partitions),
        )
        for topic in request.body.topics
    )
    return responses.OffsetForLeaderEpochResponse(topics=topics)


def _epoch_end(service: Service, peer: Peer, topic: str, entry: requests.LeaderEpochPartition) -> responses.EpochEnd:
    partition = entry.partition
    try:
        peer.check(Kind.TOPIC, topic)
        log = service.store.log(topic, partition)
        check_epoch(entry.current_leader_epoch)
        log.check_online()
    except Refused as refusal:
        return responses.EpochEnd(partition=partition, error_code=refusal.code)
    if not 0 <= entry.leader_epoch <= LEADER_EPOCH:
        return responses.EpochEnd(partition=partition)
    return responses.EpochEnd(partition=partition, leader_epoch=LEADER_EPOCH, end_offset=log.high_watermark)


async def delete_records(
    service: Service, request: Request[requests.DeleteRecordsRequest], peer: Peer
) -> responses.DeleteRecordsResponse:
    """Hide everything below an offset; the files go with the next housekeeping."""
    topics = []
    for topic in request.body.topics:
        partitions = [await _delete_below(service, peer, topic.name, entry) for entry in topic.partitions]
        topics.append(responses.DeletedRecordsTopic(name=topic.name, partitions=tuple(partitions)))
    return responses.DeleteRecordsResponse(topics=tuple(topics))


async def _delete_below(
    service: Service, peer: Peer, topic: str, entry: requests.DeleteRecordsPartition
) -> responses.DeletedRecords:
    index = entry.partition_index
    try:
        peer.check(Kind.TOPIC, topic)
        log = service.store.log(topic, index)
        start = log.check_new_start(entry.offset)
        await service.meta.run(service.meta.put_log_start, topic, index, start)
    except Refused as refusal:
        return responses.DeletedRecords(partition_index=index, error_code=refusal.code)
    except sqlite3.Error:
        return responses.DeletedRecords(partition_index=index, error_code=Code.KAFKA_STORAGE_ERROR)
    hidden = start - log.log_start
    log.move_start(start)
    if hidden > 0 and service.store.is_ours(topic):
        service.removals.note(Removal(time.time(), topic, log.partition, hidden, peer.rights.account))
    return responses.DeletedRecords(partition_index=index, low_watermark=log.log_start)
