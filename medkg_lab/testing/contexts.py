"""What a stage sees of the world, made of dictionaries."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Unpack

from medkg_lab.stages.contracts import HttpAnswer, RequestOptions, StageContext


@dataclass
class MemoryArtifacts:
    """An artifact store in memory: bytes by their sha256."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def put(self, data: bytes) -> str:
        """Keep bytes, and give their sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.kept[sha256] = data
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a sha256. Raises KeyError."""
        return self.kept[sha256]


@dataclass
class FakeHttp:
    """An outside that answers from a table: {address: body, or (status, body)}; `asked` are the addresses that were asked for.

    An address that is not in the table is answered with 404, so that no test reaches the network.
    """

    answers: Mapping[str, bytes | tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """The answer of the table."""
        self.asked.append(url)
        found = self.answers.get(url, (404, b""))
        status, body = found if isinstance(found, tuple) else (200, found)
        return HttpAnswer(status, {}, body, url)

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """The answer of the table."""
        return self.request(method, url, **options)


def stage_context(
    doc_id: str = "test:1",
    stage: str = "stage",
    artifacts: MemoryArtifacts | None = None,
    http: FakeHttp | None = None,
    now: Callable[[], float] = lambda: 0.0,
) -> StageContext:
    """A context for one stage of one document."""
    artifacts = artifacts or MemoryArtifacts()
    return StageContext(
        tenant_id="default",
        job_id=f"job-of-{doc_id}",
        doc_id=doc_id,
        correlation_id="test",
        pipeline="test",
        pipeline_version="1.0",
        batch_id="batch",
        stage=stage,
        attempt=1,
        now=now,
        content=artifacts.get,
        store=artifacts.put,
        http=http or FakeHttp(),
    )
