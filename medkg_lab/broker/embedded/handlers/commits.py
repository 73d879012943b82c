"""OffsetCommit, OffsetFetch, OffsetDelete and DeleteGroups: the positions that groups keep here."""

import logging
import sqlite3
from collections.abc import Sequence

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.meta import Committed
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_log = logging.getLogger("medkg_lab.broker")
_GROUPS_SINCE = 8


async def offset_commit(service: Service, request: Request[requests.OffsetCommit], peer: Peer) -> Answer:
    """Keep a group's positions; answered when they are on the disk."""
    body = request.body
    name = body.group_id
    group = service.coordinator.group(name)
    code = peer.refusal(Kind.GROUP, name) or group.check_commit(
        body.member_id, body.group_instance_id, body.generation_id_or_member_epoch
    )
    asked = [(topic.name, entry) for topic in body.topics or () for entry in topic.partitions or ()]
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
    answers: dict[str, list[Answer]] = {}
    for (topic, entry), one in zip(asked, codes, strict=True):
        answers.setdefault(topic, []).append({"partition_index": entry.partition_index, "error_code": one})
    return {
        "throttle_time": 0,
        "topics": [{"name": topic, "partitions": entries} for topic, entries in answers.items()],
    }


def _check(service: Service, topic: str, entry: requests.CommitPartition) -> Code:
    if len((entry.committed_metadata or "").encode()) > service.limits.offset_metadata:
        return Code.OFFSET_METADATA_TOO_LARGE
    try:
        service.store.log(topic, entry.partition_index)
    except Refused as refusal:
        return refusal.code
    return Code.NONE


async def offset_fetch(service: Service, request: Request[requests.OffsetFetch], peer: Peer) -> Answer:
    """Groups' positions, -1 where they have none. From version 8 on several groups are asked for at once; the member's id and
    epoch of version 9 belong to the KIP-848 protocol, whose groups there are none of here."""
    body = request.body
    if request.head.version < _GROUPS_SINCE:
        return {"throttle_time": 0} | _positions(service, peer, body.group_id, body.topics)
    groups = [
        {"group_id": group.group_id} | _positions(service, peer, group.group_id, group.topics)
        for group in body.groups or ()
    ]
    return {"throttle_time": 0, "groups": groups}


def _positions(service: Service, peer: Peer, group: str, asked: Sequence[requests.FetchedTopic] | None) -> Answer:
    refused = peer.refusal(Kind.GROUP, group)
    kept = {} if refused else service.coordinator.committed(group)
    wanted: dict[str, list[int]] = {}
    if asked is None:
        for topic, partition in kept:
            wanted.setdefault(topic, []).append(partition)
    else:
        wanted = {topic.name: topic.partition_indexes or [] for topic in asked}
    topics = [
        {
            "name": topic,
            "partitions": [_position(kept.get((topic, partition)), partition, refused) for partition in partitions],
        }
        for topic, partitions in wanted.items()
    ]
    return {"error_code": refused, "topics": topics}


def _position(row: Committed | None, partition: int, refused: Code) -> Answer:
    return {
        "partition_index": partition,
        "committed_offset": row.position if row else -1,
        "committed_leader_epoch": -1,
        "metadata": row.metadata if row else "",
        "error_code": refused,
    }


async def delete_groups(service: Service, request: Request[requests.DeleteGroups], peer: Peer) -> Answer:
    """Forget groups that have no members."""
    results = []
    for name in request.body.groups_names or ():
        try:
            code = peer.refusal(Kind.GROUP, name) or await service.coordinator.delete(name)
        except sqlite3.Error:
            code = Code.COORDINATOR_NOT_AVAILABLE
        results.append({"group_id": name, "error_code": code})
    return {"throttle_time": 0, "results": results}


async def offset_delete(service: Service, request: Request[requests.OffsetDelete], peer: Peer) -> Answer:
    """Forget a group's positions in topics that none of its members reads."""
    body = request.body
    if refused := peer.refusal(Kind.GROUP, body.group_id):
        return {"throttle_time": 0, "error_code": refused, "topics": []}
    group = service.coordinator.group(body.group_id)
    if body.group_id not in service.coordinator.names():
        return {"throttle_time": 0, "error_code": Code.GROUP_ID_NOT_FOUND, "topics": []}
    asked = [(topic.name, entry.partition_index) for topic in body.topics or () for entry in topic.partitions or ()]
    read = group.subscribed()
    codes = {place: Code.GROUP_SUBSCRIBED_TO_TOPIC if place[0] in read else Code.NONE for place in asked}
    try:
        await service.coordinator.delete_offsets(body.group_id, [place for place in asked if not codes[place]])
    except sqlite3.Error:
        return {"throttle_time": 0, "error_code": Code.COORDINATOR_NOT_AVAILABLE, "topics": []}
    answers: dict[str, list[Answer]] = {}
    for (topic, partition), code in codes.items():
        answers.setdefault(topic, []).append({"partition_index": partition, "error_code": code})
    topics = [{"name": topic, "partitions": entries} for topic, entries in answers.items()]
    return {"throttle_time": 0, "error_code": Code.NONE, "topics": topics}
