"""What the knowledge tests share: documents made to measure, a ledger that says what a test wants, and the real process."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab import rpc
from medkg_lab.knowledge.client import KnowledgeClient
from medkg_lab.knowledge.messages import SparseRows, TextDocument
from medkg_lab.locations import Locations, locate
from medkg_lab.models.event_codec import to_json
from medkg_lab.stages.contracts import SparseVectors
from medkg_lab.stages.embed.splade import from_coordinates
from tests import told

MODEL = "letters"
SPARSE = "counted-letters"
DIMENSION = 26
TIMEOUT = 60.0


def vector(text: str) -> npt.NDArray[np.float32]:
    """A unit vector of how often each letter of the alphabet is in `text`."""
    counts = np.array([text.lower().count(chr(ord("a") + n)) for n in range(DIMENSION)], dtype=np.float32) + 0.01
    return counts / np.float32(np.linalg.norm(counts))


class Letters:
    """An encoder that a test can follow by hand."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.stack([vector(text) for text in texts])


def weights(texts: Sequence[str], model: str = SPARSE) -> SparseVectors:
    """Sparse vectors by hand: the letters a to z are the terms, and how often each is in a text its weight."""
    counts = np.array([[text.lower().count(chr(ord("a") + n)) for n in range(26)] for text in texts]).reshape(-1, 26)
    rows, terms = np.nonzero(counts)
    return from_coordinates(model, len(texts), rows, terms, counts[rows, terms].astype(np.float32))


class Weigher:
    """A sparse encoder that a test can follow by hand."""

    def query(self, text: str) -> SparseVectors:
        return weights([text])


def text_document(
    doc_id: str,
    texts: Sequence[str],
    *,
    job: str | None = None,
    tenant: str = "default",
    title: str = "",
    model: str = MODEL,
    vectors: npt.NDArray[np.float32] | None = None,
    sparse: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    sections: Sequence[Sequence[str]] | None = None,
) -> dict[str, Any]:
    """An `index` message: a chunk per text, with sparse vectors of the model `sparse`; `sections` are the headings of each."""
    if vectors is None:
        vectors = Letters().encode(list(texts)) if texts else np.zeros((0, DIMENSION), dtype=np.float32)
    chunks = [
        {
            "chunk_id": f"{doc_id}#{n}",
            "doc_id": doc_id,
            "number": n,
            "text": text,
            "section": ["Results", f"Part {n}"] if sections is None else list(sections[n]),
            "spans": [{"block": n, "start": 0, "end": len(text)}],
            "page": n + 1,
        }
        for n, text in enumerate(texts)
    ]
    return {
        "doc_id": doc_id,
        "job_id": job or f"job-{doc_id}",
        "tenant_id": tenant,
        "source": doc_id.partition(":")[0],
        "title": title or f"About {doc_id}",
        "metadata": {"year": 2020} if metadata is None else dict(metadata),
        "chunks": chunks,
        "model": model,
        "dimension": vectors.shape[1],
        "vectors": TextDocument.pack(vectors),
        "sparse": None if sparse is None else SparseRows.of(weights(texts, sparse)),
    }


def graph_document(
    doc_id: str, triples: Sequence[tuple[str, str, str]], *, job: str | None = None, tenant: str = "default"
) -> dict[str, Any]:
    """A `graph` message: statements between terms, each mentioned in the document's first chunk."""
    terms = sorted({term for source, _, target in triples for term in (source, target)})
    first = f"{doc_id}#0"
    return {
        "doc_id": doc_id,
        "job_id": job or f"job-{doc_id}",
        "tenant_id": tenant,
        "nodes": [{"node_id": f"term:{term.lower()}", "kind": "term", "name": term} for term in terms],
        "edges": [
            {
                "source": f"term:{source.lower()}",
                "relation": relation,
                "target": f"term:{target.lower()}",
                "doc_id": doc_id,
                "chunk_id": first,
                "start": 0,
                "end": 4,
                "evidence": f"{source} {relation} {target}",
            }
            for source, relation, target in triples
        ],
        "mentions": [
            {"chunk_id": first, "start": 0, "end": len(term), "text": term, "node_id": f"term:{term.lower()}"}
            for term in terms
        ],
    }


class FakeLedger:
    """The two operations of the ledger's socket that the knowledge process uses, over a list of events that a test appends to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log: list[dict[str, Any]] = []
        self.positions: dict[str, int] = {}
        self.hanging = False
        self.asked_while_hanging = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._changed = asyncio.Event()
        self._server: rpc.Server | None = None

    def start(self) -> None:
        self._thread.start()
        handlers: dict[str, rpc.Handler] = {"events": self._events, "position": self._position}
        self._server = asyncio.run_coroutine_threadsafe(rpc.serve(self.path, handlers), self._loop).result(TIMEOUT)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def append(
        self, kind: str, jobs: Sequence[str] = (), batch: str | None = None, data: Mapping[str, Any] | None = None
    ) -> int:
        """Append an event and return its number."""
        seq = len(self.log) + 1
        self.log.append(
            orjson.loads(orjson.dumps(to_json(told.event(kind, jobs, seq=seq, batch=batch, **(data or {})))))
        )
        self._loop.call_soon_threadsafe(self._changed.set)
        return seq

    def complete(self, *jobs: str) -> int:
        """Append the completion of jobs."""
        return self.append("job.completed", jobs, data={"unchanged": False, "content": ["0" * 64] * len(jobs)})

    async def _events(self, args: dict[str, Any]) -> dict[str, Any]:
        after = args["after"]
        if self.hanging:
            self.asked_while_hanging = True
            await asyncio.Event().wait()
        if len(self.log) <= after:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), args.get("wait_s", 0))
        return {"events": self.log[after : after + args["limit"]], "head": len(self.log)}

    async def _position(self, args: dict[str, Any]) -> dict[str, Any]:
        self.positions[args["view"]] = args["seq"]
        return {}


class KnowledgeProcess:
    """`python -m medkg_lab.knowledge` over `home`."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.locations: Locations = locate(home)
        self.locations.create()
        self.folder = self.locations.data / "knowledge"
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> KnowledgeClient:
        """Start the process, wait for its ready line, and return a client of it."""
        self._process = self._spawn()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self._process.wait()}: {self._errors()}"
        assert json.loads(line)["ready"] == "knowledge"
        return KnowledgeClient(self.locations.socket("knowledge"), deadline=TIMEOUT)

    def _spawn(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "medkg_lab.knowledge", "--home", str(self.home)],
            stdout=subprocess.PIPE,
            stderr=(self.home / "stderr").open("a"),
            text=True,
            env={**os.environ, **self._environment},
        )

    def _errors(self) -> str:
        return (self.home / "stderr").read_text()

    def fails(self) -> tuple[int, str]:
        """Start a process that is expected to end by itself: its exit code and what it logged."""
        self._process = self._spawn()
        return self._process.wait(TIMEOUT), self._errors()

    def ended(self) -> tuple[int, str]:
        """Wait for the process to end by itself: its exit code and what it logged."""
        assert self._process is not None
        return self._process.wait(TIMEOUT), self._errors()

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(TIMEOUT)

    def stop(self, timeout: float = TIMEOUT) -> int:
        """Stop as the supervisor does and return the exit code; nothing happens to a process that has ended."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(timeout)


def digest(folder: Path) -> dict[str, str]:
    """The files of a folder by content."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}
