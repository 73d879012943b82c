"""How fast the network engine asks a service that takes its time, under a policy's rate limit."""

import asyncio
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import yaml

from medkg_lab.bench import work
from medkg_lab.bench.figures import Part, at_least, spread
from medkg_lab.bench.lane import Lane, Passage
from medkg_lab.bench.scratch import ScratchLab
from medkg_lab.event_loop import LoopThread
from medkg_lab.models.submission import Submission

ANSWER_S = 0.2
"""How long the service takes for an answer."""
RATE_PER_S, TARGET_PER_S = 50.0, 45.0
DOCUMENTS, ROUNDS = 200, 3
PIPELINE, POLICY = "bench-network", "bench-network"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


def network_part(scratch: ScratchLab) -> Part:
    """Documents per second that are fetched from a local service."""
    lane = Lane(scratch)
    passages: list[Passage] = []
    with _service() as service:
        _define(scratch, service.url)
        lane.passage(_requests(DOCUMENTS // 2))
        for _ in range(ROUNDS):
            passages.append(lane.passage(_requests(DOCUMENTS)))
    rates = [passage.docs_per_second for passage in passages]
    detail = {
        "answer_s": ANSWER_S,
        "rate_limit_per_second": RATE_PER_S,
        "documents": DOCUMENTS,
        "docs_per_second": spread(rates, 1),
        "most_in_flight": service.most,
        "last": passages[-1].describe(),
    }
    rate = round(statistics.median(rates), 1)
    return Part([at_least("network, docs/s at a limit of 50/s", rate, TARGET_PER_S)], detail)


def _requests(number: int) -> list[Submission]:
    nonce = uuid4().hex[:12]
    return [Submission(source="bench", key=f"{nonce}-{place}", pipeline=PIPELINE) for place in range(number)]


def _define(scratch: ScratchLab, url: str) -> None:
    """Give the lab the pipeline and its policy; it needs no restart."""
    policy = {
        "name": POLICY,
        "max_attempts": 3,
        "backoff_strategy": "exponential",
        "timeout_seconds": 30,
        "rate_limit_per_second": RATE_PER_S,
    }
    path = scratch.lab.locations.config / "policies.yaml"
    path.write_text(yaml.safe_dump({"policies": [policy]}))
    fetch = {"implementation": "bench.fetch", "with": {"url": url}, "policy": POLICY}
    scratch.add(PIPELINE, work.pipeline(PIPELINE, 0.0, only=("ingest",), instead=fetch))


class _Service:
    """An HTTP server that answers every request after `ANSWER_S`; `most` requests were there at once."""

    def __init__(self) -> None:
        self.url = ""
        self.most = 0
        self._now = 0

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self._now += 1
                self.most = max(self.most, self._now)
                await asyncio.sleep(ANSWER_S)
                self._now -= 1
                writer.write(_ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # The client has enough, or the measurement: the loop's own stream code would print the latter.
            writer.close()


@contextmanager
def _service() -> Iterator[_Service]:
    loop, service = LoopThread("service"), _Service()
    server = loop.run(service.open())
    try:
        yield service
    finally:
        loop.run(_close(server))
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
