"""Fetch: records from an offset on, waiting for them when there are none yet."""

import asyncio
from typing import Any

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.batch import LEADER_EPOCH
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_LONGEST_POLL_MS = 5 * 60 * 1000


async def fetch(service: Service, request: Request[requests.FetchRequest], peer: Peer) -> responses.FetchResponse:
    """Answer as soon as there are `min_bytes` of records or an error, at the latest after `max_wait`.

    There are no fetch sessions: the answer's session id is 0, and every request names all of its partitions.
    """
    body = request.body
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(max(body.max_wait, 0), _LONGEST_POLL_MS) / 1000
    while True:
        changed: asyncio.Future[None] = loop.create_future()
        logs = _watch(service, peer, body, changed)
        try:
            topics, size, urgent = _collect(service, peer, body)
            patience = deadline - loop.time()
            if urgent or size >= body.min_bytes or patience <= 0 or service.stopping.is_set():
                return responses.FetchResponse(responses=topics)
            await _wait(service, changed, patience)
        finally:
            for log in logs:
                log.unwatch(changed)


def _watch(
    service: Service, peer: Peer, body: requests.FetchRequest, future: "asyncio.Future[None]"
) -> list[PartitionLog]:
    logs = []
    for topic in body.topics:
        if peer.refusal(Kind.TOPIC, topic.topic):
            continue  # as below
        for entry in topic.partitions:
            try:
                log = service.store.log(topic.topic, entry.partition)
            except Refused:
                continue  # reported as this partition's error by _collect
            log.watch(future)
            logs.append(log)
    return logs


async def _wait(service: Service, changed: "asyncio.Future[None]", patience: float) -> None:
    stopping = asyncio.create_task(service.stopping.wait())
    waited: set[asyncio.Future[Any]] = {changed, stopping}
    try:
        await asyncio.wait(waited, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


def _collect(
    service: Service, peer: Peer, body: requests.FetchRequest
) -> tuple[tuple[responses.FetchedTopic, ...], int, bool]:
    """The answers per topic, the bytes of records in them, and whether one is an error."""
    room = min(body.max_bytes, service.limits.fetch_bytes)
    size, urgent, topics = 0, False, []
    for topic in body.topics:
        partitions = []
        refused = peer.refusal(Kind.TOPIC, topic.topic)
        for entry in topic.partitions:
            if refused:
                answer = responses.FetchedPartition(partition_index=entry.partition, error_code=refused)
            else:
                answer = _read(service, topic.topic, entry, room - size, first=size == 0)
            size += len(answer.records)
            urgent = urgent or answer.error_code != Code.NONE
            partitions.append(answer)
        topics.append(responses.FetchedTopic(topic=topic.topic, partitions=tuple(partitions)))
    return tuple(topics), size, urgent


def _read(
    service: Service, topic: str, entry: requests.FetchPartition, room: int, first: bool
) -> responses.FetchedPartition:
    high, start, records, code = -1, -1, b"", Code.NONE
    try:
        log = service.store.log(topic, entry.partition)
        check_epoch(entry.current_leader_epoch)
        high, start = log.high_watermark, log.log_start
        wanted = min(entry.partition_max_bytes, room)
        if first or wanted > 0:
            records = log.read(entry.fetch_offset, wanted)
    except Refused as refusal:
        code = refusal.code
    return responses.FetchedPartition(
        partition_index=entry.partition,
        error_code=code,
        high_watermark=high,
        last_stable_offset=high,
        log_start_offset=start,
        records=records,
    )


def check_epoch(epoch: int) -> None:
    """Compare the leader epoch that a client believes in with the only one there is; -1 stands for none. Raises Refused."""
    if epoch > LEADER_EPOCH:
        raise Refused(Code.UNKNOWN_LEADER_EPOCH, f"leader epoch {epoch}")
