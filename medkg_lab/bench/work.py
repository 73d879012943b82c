"""Stages that only take time, for measuring what lies around them; a scratch lab finds them as it would a third party's.

They do what their types promise in the smallest form and keep the processor busy for a set time, counted in the thread's own CPU
time, so that a machine that is busy elsewhere does not shorten the work.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Extraction, Node, Place
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.stages.contracts import Embeddings, Lane, Receipt, Stage, StageContext, StageType
from medkg_lab.stages.registry import GROUP, Implementation, Options

FAULTY = "faulty"
"""A document whose key begins so is refused by the parse stage."""
TEXT = "A passage of a few words, as it stands in for a document. " * 4


class BenchRefused(DocumentError):
    """{doc_id} is a document that the measurement made to fail. Nothing needs to be done."""


class WorkOptions(Options):
    """How long a stage takes."""

    ms: float = Field(default=1.0, ge=0, le=1000, description="Milliseconds of CPU time per document.")


class _Work:
    def __init__(self, ms: float) -> None:
        self._seconds = ms / 1e3

    def busy(self) -> None:
        until = time.thread_time() + self._seconds
        while time.thread_time() < until:
            pass


class Ingest(_Work):
    """A payload from what the submission names."""

    def execute(self, context: StageContext, item: Submission) -> Payload:
        """Take time."""
        self.busy()
        sha256 = item.content.sha256 if item.content and item.content.sha256 else "0" * 64
        return Payload(sha256=sha256, media_type="text/plain", size=len(TEXT), source=item.source, key=item.key)


class FetchOptions(Options):
    """Whom a stage asks."""

    url: str = Field(pattern=r"^http://[^\s]+$", description="What is asked for each document.")


class Fetch:
    """A payload of what a service answers."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def execute(self, context: StageContext, item: Submission) -> Payload:
        """Ask the service. Raises what Outside raises."""
        answer = await context.http.request_async("GET", self._url, timeout=30, max_bytes=1024, endpoint=True)
        sha256 = context.store(answer.body)
        return Payload(sha256=sha256, media_type="text/plain", size=len(answer.body), source=item.source, key=item.key)


class Download(_Work):
    """The payload as it came."""

    def execute(self, context: StageContext, item: Payload) -> Payload:
        """Take time."""
        self.busy()
        return item


class Parse(_Work):
    """A document of one block. Raises BenchRefused for a faulty one."""

    def execute(self, context: StageContext, item: Payload) -> Document:
        """Take time."""
        self.busy()
        if item.key.startswith(FAULTY):
            raise BenchRefused(doc_id=context.doc_id)
        block = Block(kind=BlockKind.PARAGRAPH, text=TEXT, place=Place(element="1"))
        return Document(doc_id=context.doc_id, source=item.source, title=item.key, blocks=(block,))


class Cut(_Work):
    """One passage."""

    def execute(self, context: StageContext, item: Document) -> tuple[Chunk, ...]:
        """Take time."""
        self.busy()
        span = ChunkSpan(block=0, start=0, end=len(TEXT))
        return (Chunk(chunk_id=f"{item.doc_id}#0", doc_id=item.doc_id, number=0, text=TEXT, spans=(span,)),)


class Embed(_Work):
    """A vector of 8 numbers for each passage."""

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings:
        """Take time."""
        self.busy()
        vectors = np.full((len(item), 8), 8**-0.5, dtype=np.float32)
        return Embeddings("bench", 8, "cpu", tuple(chunk.chunk_id for chunk in item), vectors)


class Receive(_Work):
    """A receipt, as from the index or the graph."""

    def execute(self, context: StageContext, item: Any) -> Receipt:
        """Take time."""
        self.busy()
        return Receipt(doc_id=context.doc_id, count=1)


class Extract(_Work):
    """An extraction of one node."""

    def execute(self, context: StageContext, item: Any) -> Extraction:
        """Take time."""
        self.busy()
        return Extraction(doc_id=context.doc_id, nodes=(Node(node_id="term:passage", kind="term", name="passage"),))


STAGES: dict[StageType, type[_Work]] = {
    StageType.INGEST: Ingest,
    StageType.DOWNLOAD: Download,
    StageType.PARSE: Parse,
    StageType.CHUNK: Cut,
    StageType.EMBED: Embed,
    StageType.INDEX: Receive,
    StageType.EXTRACT: Extract,
    StageType.KG: Receive,
}
"""Every stage type, in the order of a pipeline."""


def name_of(kind: StageType) -> str:
    """What a stage of the pipeline is called: `IngestStage` gives `ingest`."""
    return kind.value.removesuffix("Stage").lower()


def _implementation(kind: StageType, stage: type[Any]) -> Implementation:
    def build(_: object, options: WorkOptions) -> Stage:
        made: Stage = stage(options.ms)
        return made

    return Implementation(f"bench.{name_of(kind)}", kind, "Takes time, for measurements", build, options=WorkOptions)


IMPLEMENTATIONS = {name_of(kind): _implementation(kind, stage) for kind, stage in STAGES.items()}
INGEST, DOWNLOAD, PARSE, CHUNK = (IMPLEMENTATIONS[name] for name in ("ingest", "download", "parse", "chunk"))
FETCH = Implementation(
    "bench.fetch",
    StageType.INGEST,
    "Asks a service, for measurements",
    lambda _, options: Fetch(options.url),
    options=FetchOptions,
    lane=Lane.NETWORK,
)
EMBED, INDEX, EXTRACT, KG = (IMPLEMENTATIONS[name] for name in ("embed", "index", "extract", "kg"))


def build(ms: float) -> list[tuple[StageType, Any]]:
    """The stages themselves, each taking `ms` milliseconds per document."""
    return [(kind, stage(ms)) for kind, stage in STAGES.items()]


def publish(site: Path) -> None:
    """Put the implementations into a folder for Python's path, as an installed package's entry points would be."""
    info = site / "medkg_lab_bench-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: medkg-lab-bench\nVersion: 0\n")
    lines = [f"bench.{name} = {__name__}:{name.upper()}" for name in (*IMPLEMENTATIONS, "fetch")]
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + "\n".join(lines) + "\n")


def pipeline(
    name: str,
    ms: float,
    gate_after: str | None = None,
    only: Sequence[str] = (),
    instead: Mapping[str, object] | None = None,
) -> Mapping[str, object]:
    """A pipeline of these stages one after the other, as its file says it.

    A gate for a person may follow one of them; `instead` is what the stages are to be in place of those here.
    """
    stages: list[Mapping[str, object]] = []
    before: list[str] = []
    for kind in STAGES:
        if only and name_of(kind) not in only:
            continue
        chosen = {"implementation": f"bench.{name_of(kind)}", "with": {"ms": ms}, "policy": "local", **(instead or {})}
        stages.append({"name": name_of(kind), "type": kind.value, "depends_on": before, **chosen})
        before = [name_of(kind)]
        if gate_after == name_of(kind):
            condition = {"ledger_field": "reviewed", "equals": True}
            stages.append({"name": "gate", "type": "Gate", "depends_on": [gate_after], "condition": condition})
            before = ["gate"]
    return {"version": "1.0", "name": name, "description": "For measurements", "stages": stages}
