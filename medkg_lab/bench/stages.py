"""What the real stages take per document: parse, chunk, embed, extract and index on the bundled trials and articles, and
extraction on abstracts."""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medkg_lab.bench import texts
from medkg_lab.bench.figures import Report, at_least, latencies
from medkg_lab.bench.search import message
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.locations import locate
from medkg_lab.models.documents import Chunk, Document
from medkg_lab.stages.chunk.options import SplitterOptions
from medkg_lab.stages.chunk.splitter import HaystackSplitter
from medkg_lab.stages.chunk.splitters import build_splitter
from medkg_lab.stages.embed.minilm import MiniLM
from medkg_lab.stages.embed.weights import load_tokenizer
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import bundled
from medkg_lab.stages.parse.auto import parse

ABSTRACTS_PER_SECOND = 1000.0

Passages = Sequence[tuple[Document, tuple[Chunk, ...]]]


@dataclass(frozen=True)
class Options:
    """What is measured: `rounds` over the bundled documents, and `abstracts` abstracts; models are kept in `cache`."""

    rounds: int = 3
    abstracts: int = 2000
    cache: Path | None = None


def measure(options: Options) -> Report:
    """Milliseconds per document of each stage, and abstracts per second of extraction with the bundled vocabulary."""
    logging.getLogger("haystack").setLevel(logging.WARNING)
    chosen = SplitterOptions()
    split = build_splitter(chosen.split_by, chosen.split_length, chosen.split_overlap, chosen.split_threshold)
    splitter = HaystackSplitter(chosen, split, load_tokenizer())
    extractor = StructuredExtractor(bundled())
    encoder = MiniLM(options.cache or locate().cache)
    documents = texts.documents()
    chunked = [(document, splitter.chunk(document)) for document in documents]
    named = list(enumerate(data for _, data in texts.files()))
    took = {
        "parse": _each(options.rounds, named, lambda one: parse(one[1], f"bench:{one[0]}", "bench")),
        "chunk": _each(options.rounds, documents, splitter.chunk),
        "extract": _each(options.rounds, chunked, lambda one: extractor.extract(*one)),
        "embed": _each(1, chunked, lambda one: encoder.encode([chunk.text for chunk in one[1]])),
        "index": _indexed(chunked, encoder, options),
    }
    rate = _abstracts_per_second(extractor, options.abstracts)
    return Report(
        bench="stages",
        targets=[at_least("extraction, abstracts/s", round(rate), ABSTRACTS_PER_SECOND)],
        detail={
            "documents": len(documents),
            "chunks_per_document": round(statistics.mean(len(chunks) for _, chunks in chunked), 1),
            "per_document": {name: latencies(each) for name, each in took.items()},
            "abstracts": options.abstracts,
        },
    )


def _each(rounds: int, items: Sequence[Any], work: Callable[[Any], object]) -> list[float]:
    took = []
    for _ in range(rounds):
        for item in items:
            began = time.perf_counter()
            work(item)
            took.append(time.perf_counter() - began)
    return took


def _indexed(chunked: Passages, encoder: MiniLM, options: Options) -> list[float]:
    """Seconds per document when all are indexed as one batch, until searches see them."""
    messages = []
    for document, chunks in chunked:
        passages = [chunk.text for chunk in chunks]
        messages.append(message(document.doc_id, passages, encoder.encode([text[:100] for text in passages])))
    took = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="medkg-bench-") as folder:
            knowledge = Knowledge(Path(folder), Encoders({}), "cpu")
            began = time.perf_counter()
            knowledge.stage_text(f"bench-{number}", messages)
            knowledge.apply([Effect(Action.PUBLISH, document.doc_id) for document, _ in chunked], 1)
            took.append((time.perf_counter() - began) / len(messages))
            knowledge.close()
    return took


def _abstracts_per_second(extractor: StructuredExtractor, count: int) -> float:
    made = texts.as_documents(texts.abstracts(count))
    began = time.perf_counter()
    for document, chunks in made:
        extractor.extract(document, chunks)
    return count / (time.perf_counter() - began)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    default = Options()
    parser.add_argument("--rounds", type=int, default=default.rounds, help="how often the bundled documents go through")
    parser.add_argument("--abstracts", type=int, default=default.abstracts, help="abstracts for extraction")


def options_from(args: argparse.Namespace) -> Options:
    """The options that were given."""
    return Options(args.rounds, args.abstracts, locate(getattr(args, "home", None)).cache)
