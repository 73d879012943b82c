"""Search time at a given number of passages, the query's embedding included, through the lab's own store and indexes.

The passages are made of the bundled documents' sentences. Their vectors are random: an exact search takes the same time for any.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medkg_lab.bench import texts
from medkg_lab.bench.figures import Report, at_most, latencies
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.messages import TextDocument
from medkg_lab.knowledge.search import Question
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.locations import locate
from medkg_lab.stages.embed.weights import DIMENSION, MODEL_ID

P95_MS = 20.0
_PER_DOCUMENT = 10
_BATCH = 50


@dataclass(frozen=True)
class Options:
    """What is measured: `queries` searches among `chunks` passages; models are kept in `cache`."""

    chunks: int = 10_000
    queries: int = 300
    cache: Path | None = None


def measure(options: Options) -> Report:
    """Fill a store in a folder of its own, search it, and report."""
    with tempfile.TemporaryDirectory(prefix="medkg-bench-") as folder:
        knowledge = Knowledge(Path(folder), Encoders.standard(options.cache or locate().cache), "cpu")
        try:
            began = time.perf_counter()
            _fill(knowledge, options.chunks)
            filled = time.perf_counter() - began
            asked = texts.questions(options.queries + 1)
            knowledge.searcher.search(Question(query=asked[0], is_plain=True))
            took, busy = zip(*(_search(knowledge, query) for query in asked[1:]), strict=True)
        finally:
            knowledge.close()
    spread = latencies(list(took))
    return Report(
        bench="search",
        targets=[at_most(f"search among {options.chunks} passages, p95 ms", spread.p95_ms, P95_MS)],
        detail={
            "chunks": options.chunks,
            "search": spread,
            "processor": latencies(list(busy)),
            "index_chunks_per_second": round(options.chunks / filled),
        },
    )


def _search(knowledge: Knowledge, query: str) -> tuple[float, float]:
    """Seconds that one search took, and the processor's seconds in it, which other processes do not lengthen."""
    began, busy = time.perf_counter(), time.process_time()
    knowledge.searcher.search(Question(query=query, is_plain=True))
    return time.perf_counter() - began, time.process_time() - busy


def _fill(knowledge: Knowledge, chunks: int) -> None:
    passages = texts.abstracts(chunks)
    vectors = np.random.default_rng(0).standard_normal((chunks, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = range(0, chunks, _PER_DOCUMENT)
    for first in range(0, len(starts), _BATCH):
        places = {f"bench:{start}": slice(start, start + _PER_DOCUMENT) for start in starts[first : first + _BATCH]}
        part = [message(doc_id, passages[place], vectors[place]) for doc_id, place in places.items()]
        knowledge.stage_text(f"bench-{first}", part)
        knowledge.apply([Effect(Action.PUBLISH, doc_id) for doc_id in places], first + 1)


def message(doc_id: str, passages: list[str], vectors: npt.NDArray[np.float32]) -> Mapping[str, object]:
    """A document as an index stage sends it: `vectors` is of shape (passages, DIMENSION)."""
    chunks = [
        {
            "chunk_id": f"{doc_id}#{number}",
            "doc_id": doc_id,
            "number": number,
            "text": text,
            "spans": [{"block": number, "start": 0, "end": len(text)}],
        }
        for number, text in enumerate(passages)
    ]
    return {
        "doc_id": doc_id,
        "job_id": doc_id,
        "source": "bench",
        "title": passages[0][:60],
        "chunks": chunks,
        "model": MODEL_ID,
        "dimension": DIMENSION,
        "vectors": TextDocument.pack(vectors),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    default = Options()
    parser.add_argument("--chunks", type=int, default=default.chunks, help="passages in the store")
    parser.add_argument("--queries", type=int, default=default.queries, help="how many searches")


def options_from(args: argparse.Namespace) -> Options:
    """The options that were given."""
    return Options(args.chunks, args.queries, locate(getattr(args, "home", None)).cache)
