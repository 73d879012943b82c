"""OffsetCommit, OffsetFetch, OffsetDelete and DeleteGroups: the positions that groups keep here."""

import logging
import sqlite3
from collections.abc import Iterable

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.meta import Committed
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_log = logging.getLogger("medkg_lab.broker")
_GROUPS_SINCE = 8


async def offset_commit(
    service: Service, request: Request[requests.OffsetCommitRequest], peer: Peer
) -> responses.OffsetCommitResponse:
    """Keep a group's positions; answered when they are on the disk."""
    body = request.body
    name = body.group_id
    group = service.coordinator.group(name)
    code = peer.refusal(Kind.GROUP, name) or group.check_commit(
        body.member_id, body.group_instance_id, body.generation_id_or_member_epoch
    )
    asked = [(topic.name, entry) for topic in body.topics for entry in topic.partitions]
    codes = [code or _check(service, topic, entry) for topic, entry in asked]
    rows = [
        Committed(name, topic, entry.partition_index, entry.committed_offset, entry.committed_metadata or "")
        for (topic, entry), one in zip(asked, codes, strict=True)
        if one == Code.NONE
    ]
    try:
        await service.coordinator.commit(name, rows)
    except Refused as refusal:
        codes = [one or refusal.code for one in codes]
    except sqlite3.Error as error:
        _log.error("offsets of group %s were not kept: %s", name, error)
        codes = [one or Code.COORDINATOR_NOT_AVAILABLE for one in codes]
    results = [(topic, entry.partition_index, one) for (topic, entry), one in zip(asked, codes, strict=True)]
    return responses.OffsetCommitResponse(topics=_by_topic(results))


def _by_topic(results: Iterable[tuple[str, int, Code]]) -> tuple[responses.TopicResult, ...]:
    topics: dict[str, list[responses.PartitionResult]] = {}
    for topic, partition, code in results:
        topics.setdefault(topic, []).append(responses.PartitionResult(partition_index=partition, error_code=code))
    return tuple(responses.TopicResult(name=topic, partitions=tuple(entries)) for topic, entries in topics.items())


def _check(service: Service, topic: str, entry: requests.CommitPartition) -> Code:
    if len((entry.committed_metadata or "").encode()) > service.limits.offset_metadata:
        return Code.OFFSET_METADATA_TOO_LARGE
    try:
        service.store.log(topic, entry.partition_index)
    except Refused as refusal:
        return refusal.code
    return Code.NONE


async def offset_fetch(
    service: Service, request: Request[requests.OffsetFetchRequest], peer: Peer
) -> responses.OffsetFetchResponse:
    """Groups' positions, -1 where they have none. From version 8 on several groups are asked for at once; the member's id and
    epoch of version 9 belong to the KIP-848 protocol, whose groups there are none of here."""
    body = request.body
    if request.head.version < _GROUPS_SINCE:
        one = _positions(service, peer, body.group_id, body.topics)
        return responses.OffsetFetchResponse(error_code=one.error_code, topics=one.topics)
    groups = tuple(_positions(service, peer, group.group_id, group.topics) for group in body.groups)
    return responses.OffsetFetchResponse(groups=groups)


def _positions(
    service: Service, peer: Peer, group: str, asked: tuple[requests.TopicPartitionIndexes, ...] | None
) -> responses.GroupPositions:
    refused = peer.refusal(Kind.GROUP, group)
    kept = {} if refused else service.coordinator.committed(group)
    wanted: dict[str, list[int]] = {}
    if asked is None:
        for topic, partition in kept:
            wanted.setdefault(topic, []).append(partition)
    else:
        wanted = {topic.name: list(topic.partition_indexes) for topic in asked}
    topics = tuple(
        responses.TopicPositions(
            name=topic,
            partitions=tuple(_position(kept.get((topic, partition)), partition, refused) for partition in partitions),
        )
        for topic, partitions in wanted.items()
    )
    return responses.GroupPositions(group_id=group, error_code=refused, topics=topics)


def _position(row: Committed | None, partition: int, refused: Code) -> responses.Position:
    return responses.Position(
        partition_index=partition,
        committed_offset=row.position if row else -1,
        metadata=row.metadata if row else "",
        error_code=refused,
    )


async def delete_groups(
    service: Service, request: Request[requests.DeleteGroupsRequest], peer: Peer
) -> responses.DeleteGroupsResponse:
    """Forget groups that have no members."""
    results = []
    for name in request.body.groups_names:
        try:
            code = peer.refusal(Kind.GROUP, name) or await service.coordinator.delete(name)
        except sqlite3.Error:
            code = Code.COORDINATOR_NOT_AVAILABLE
        results.append(responses.GroupResult(group_id=name, error_code=code))
    return responses.DeleteGroupsResponse(results=tuple(results))


async def offset_delete(
    service: Service, request: Request[requests.OffsetDeleteRequest], peer: Peer
) -> responses.OffsetDeleteResponse:
    """Forget a group's positions in topics that none of its members reads."""
    name = request.body.group_id
    if refused := peer.refusal(Kind.GROUP, name):
        return responses.OffsetDeleteResponse(error_code=refused)
    group = service.coordinator.group(name)
    if name not in service.coordinator.names():
        return responses.OffsetDeleteResponse(error_code=Code.GROUP_ID_NOT_FOUND)
    asked = [(topic.name, entry.partition_index) for topic in request.body.topics for entry in topic.partitions]
    read = group.subscribed()
    codes = {place: Code.GROUP_SUBSCRIBED_TO_TOPIC if place[0] in read else Code.NONE for place in asked}
    try:
        await service.coordinator.delete_offsets(name, [place for place in asked if not codes[place]])
    except sqlite3.Error:
        return responses.OffsetDeleteResponse(error_code=Code.COORDINATOR_NOT_AVAILABLE)
    return responses.OffsetDeleteResponse(
        topics=_by_topic((topic, partition, code) for (topic, partition), code in codes.items())
    )
