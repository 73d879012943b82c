"""Tiny stages that a test steers by what a document says and by files in a folder."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Extraction, Node, Place
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.stages.contracts import Embeddings, Receipt, StageContext, StageType
from medkg_lab.stages.embed.implementation import OPENAI
from medkg_lab.stages.registry import GpuNeed, Implementation, Options


class Unreadable(DocumentError):
    """The document {doc_id} is unreadable."""


class Unavailable(ServiceError):
    """The service is away for {doc_id}."""


def flag(name: str) -> Path:
    return Path(os.environ["MEDKG_TEST_FLAGS"]) / name


class Ingest:
    def execute(self, context: StageContext, item: Submission) -> Any:
        if item.query:
            return tuple(Submission(source="file", key=f"{item.query}-{number}") for number in range(3))
        text = item.content.name if item.content else item.key
        sha256 = context.store(text.encode())
        return Payload(sha256=sha256, media_type="text/plain", size=len(text), source="file", key=item.key)


class Download:
    def execute(self, context: StageContext, item: Payload) -> Payload:
        return item


class Parse:
    def execute(self, context: StageContext, item: Payload) -> Document:
        text = context.content(item.sha256).decode()
        if "unreadable" in text:
            raise Unreadable(doc_id=context.doc_id)
        if "bug" in text:
            raise ZeroDivisionError("a bug")
        block = Block(kind=BlockKind.PARAGRAPH, text=text, place=Place(element="1"))
        return Document(doc_id=context.doc_id, source="file", title=text, blocks=(block,))


class Chunks:
    """Waits, dies or stumbles where a document asks for it."""

    def execute(self, context: StageContext, item: Document) -> tuple[Chunk, ...]:
        text = item.blocks[0].text
        if "hold" in text:
            flag(f"held-{context.doc_id}".replace("/", "_").replace(":", "_")).touch()
            while not flag("release").exists():
                time.sleep(0.02)
        if "poison" in text:
            os._exit(9)
        if "flaky" in text and not (mark := flag(f"flaky-{context.job_id}")).exists():
            mark.touch()
            raise Unavailable(doc_id=context.doc_id)
        span = ChunkSpan(block=0, start=0, end=len(text))
        return (Chunk(chunk_id=f"{item.doc_id}#0", doc_id=item.doc_id, number=0, text=text, spans=(span,)),)


class Embed:
    """Works on whole batches; one bad text spoils the call it is in."""

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings:
        raise AssertionError("the batch call is to be used")

    def execute_many(self, contexts: Sequence[StageContext], items: Sequence[Any]) -> Sequence[Any | LabError]:
        if any("unembeddable" in chunk.text for item in items for chunk in item):
            raise ValueError("a text that the model cannot take")
        return [
            Unreadable(doc_id=context.doc_id) if "refused" in item[0].text else _vectors(item)
            for context, item in zip(contexts, items, strict=True)
        ]


def _vectors(chunks: tuple[Chunk, ...]) -> Embeddings:
    ids = tuple(chunk.chunk_id for chunk in chunks)
    return Embeddings("tiny", 2, "cpu", ids, np.ones((len(ids), 2), dtype=np.float32))


class Index:
    def execute(self, context: StageContext, item: Any) -> Receipt:
        return Receipt(doc_id=context.doc_id, count=len(item.chunks))


class Extract:
    def execute(self, context: StageContext, item: Any) -> Extraction:
        return Extraction(doc_id=context.doc_id, nodes=(Node(node_id="term:x", kind="term", name="x"),))


class Kg:
    def execute(self, context: StageContext, item: Any) -> Receipt:
        return Receipt(doc_id=context.doc_id, count=1)


class BusyOptions(Options):
    """How long each document takes."""

    ms: float = 1.0


class Busy:
    """A stage that needs the processor for a while, as a loop of 1 ms stages does in a measurement."""

    def __init__(self, ms: float) -> None:
        self._seconds = ms / 1e3

    def execute(self, context: StageContext, item: Any) -> Receipt:
        until = time.thread_time() + self._seconds
        while time.thread_time() < until:
            pass
        return Receipt(doc_id=context.doc_id, count=1)


def _broken(*_: Any) -> Any:
    raise RuntimeError("no model file")


def _made(stage_type: StageType, name: str, stage: type[Any], gpu: GpuNeed | None = None) -> Implementation:
    return Implementation(name, stage_type, "for tests", lambda resources, options: stage(), gpu=gpu)


INGEST = _made(StageType.INGEST, "tiny.ingest", Ingest)
DOWNLOAD = _made(StageType.DOWNLOAD, "tiny.download", Download)
PARSE = _made(StageType.PARSE, "tiny.parse", Parse)
CHUNK = _made(StageType.CHUNK, "tiny.chunk", Chunks)
EMBED = _made(StageType.EMBED, "tiny.embed", Embed)
INDEX = _made(StageType.INDEX, "tiny.index", Index)
EXTRACT = _made(StageType.EXTRACT, "tiny.extract", Extract)
KG = _made(StageType.KG, "tiny.kg", Kg)
GPU = _made(StageType.EMBED, "tiny.gpu", Embed, GpuNeed(memory_mib=1 << 30))
# The lab's own embedder, for an endpoint on this machine's processor.
ENDPOINT = replace(OPENAI, name="tiny.endpoint", gpu=None)
BROKEN = Implementation("tiny.broken", StageType.EMBED, "for tests", _broken)
BUSY = Implementation(
    "tiny.busy", StageType.KG, "for tests", lambda resources, options: Busy(options.ms), options=BusyOptions
)
