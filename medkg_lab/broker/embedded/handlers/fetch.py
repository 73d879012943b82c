"""Fetch: records from an offset on, waiting for them when there are none yet."""

import asyncio
from typing import Any

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.batch import LEADER_EPOCH
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_LONGEST_POLL_MS = 5 * 60 * 1000


async def fetch(service: Service, request: Request[requests.Fetch], peer: Peer) -> Answer:
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
            responses, size, urgent = _collect(service, peer, body)
            patience = deadline - loop.time()
            if urgent or size >= body.min_bytes or patience <= 0 or service.stopping.is_set():
                return {"throttle_time": 0, "error_code": Code.NONE, "session_id": 0, "responses": responses}
            await _wait(service, changed, patience)
        finally:
            for log in logs:
                log.unwatch(changed)


def _watch(service: Service, peer: Peer, body: requests.Fetch, future: "asyncio.Future[None]") -> list[PartitionLog]:
    logs = []
    for topic in body.topics or ():
        if peer.refusal(Kind.TOPIC, topic.topic):
            continue  # as below
        for entry in topic.partitions or ():
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


def _collect(service: Service, peer: Peer, body: requests.Fetch) -> tuple[list[Answer], int, bool]:
    """The answers per topic, the bytes of records in them, and whether one is an error."""
    room = service.limits.fetch_bytes if body.max_bytes is None else min(body.max_bytes, service.limits.fetch_bytes)
    size, urgent, responses = 0, False, []
    for topic in body.topics or ():
        partitions = []
        refused = peer.refusal(Kind.TOPIC, topic.topic)
        for entry in topic.partitions or ():
            answer = _nothing(entry.partition, refused)
            if not refused:
                answer |= _read(service, topic.topic, entry, room - size, first=size == 0)
            size += len(answer["records"])
            urgent = urgent or answer["error_code"] != Code.NONE
            partitions.append(answer)
        responses.append({"topic": topic.topic, "partitions": partitions})
    return responses, size, urgent


def _nothing(partition: int, code: Code) -> Answer:
    return {
        "partition_index": partition,
        "error_code": code,
        "high_watermark": -1,
        "last_stable_offset": -1,
        "log_start_offset": -1,
        "aborted_transactions": [],
        "preferred_read_replica": -1,
        "records": b"",
    }


def _read(service: Service, topic: str, entry: requests.FetchPartition, room: int, first: bool) -> Answer:
    answer: Answer = {}
    try:
        log = service.store.log(topic, entry.partition)
        check_epoch(entry.current_leader_epoch)
        visible = {"high_watermark": log.high_watermark, "last_stable_offset": log.high_watermark}
        answer |= visible | {"log_start_offset": log.log_start}
        wanted = min(entry.partition_max_bytes, room)
        if first or wanted > 0:
            answer["records"] = log.read(entry.fetch_offset, wanted)
    except Refused as refusal:
        answer["error_code"] = refusal.code
    return answer


def check_epoch(epoch: int) -> None:
    """Compare the leader epoch that a client believes in with the only one there is; -1 stands for none. Raises Refused."""
    if epoch > LEADER_EPOCH:
        raise Refused(Code.UNKNOWN_LEADER_EPOCH, f"leader epoch {epoch}")
