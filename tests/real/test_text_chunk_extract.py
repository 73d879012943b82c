"""Shared documents through chunking and extraction: provenance holds for every chunk, mention and edge."""

from collections import Counter
from pathlib import Path

import pytest

from medkg_lab.models.documents import BlockKind, Chunk, Document
from medkg_lab.stages.chunk.implementation import SPLITTER
from medkg_lab.stages.chunk.splitter import HaystackSplitter, text_of
from medkg_lab.stages.embed.weights import load_tokenizer
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import bundled
from medkg_lab.stages.registry import Resources
from tests.real.text_files import files, read

_SAMPLE = 12


@pytest.fixture(scope="module")
def splitter() -> HaystackSplitter:
    stage = SPLITTER.build(Resources(cache=Path("unused")), SPLITTER.parse_options({}))
    assert isinstance(stage, HaystackSplitter)
    return stage


def check_chunks(document: Document, chunks: tuple[Chunk, ...]) -> None:
    tokenizer = load_tokenizer()
    covered: set[int] = set()
    for number, chunk in enumerate(chunks):
        assert chunk.text == text_of(document, chunk.spans, chunk.kind == "table")
        assert chunk.chunk_id == f"{document.doc_id}#{number}"
        assert len(tokenizer.encode(chunk.text).ids) <= 256
        covered.update(span.block for span in chunk.spans)
    wanted = {i for i, b in enumerate(document.blocks) if b.kind not in (BlockKind.HEADING, BlockKind.REFERENCE)}
    assert wanted == covered


def check_extraction(extractor: StructuredExtractor, document: Document, chunks: tuple[Chunk, ...]) -> Counter[str]:
    extraction = extractor.extract(document, chunks)
    texts = {chunk.chunk_id: chunk.text for chunk in chunks}
    ids = {node.node_id for node in extraction.nodes}
    for mention in extraction.mentions:
        assert texts[mention.chunk_id][mention.start : mention.end] == mention.text
        assert mention.node_id in ids
    for edge in extraction.edges:
        assert {edge.source, edge.target} <= ids
        assert edge.evidence
        if edge.chunk_id is not None:
            assert texts[edge.chunk_id][edge.start : edge.end].strip()
    assert len(ids) == len(extraction.nodes)
    return Counter(edge.relation for edge in extraction.edges)


def run(paths: list[Path], splitter: HaystackSplitter) -> Counter[str]:
    extractor = StructuredExtractor(bundled())
    relations: Counter[str] = Counter()
    for path in paths:
        document = read(path)
        chunks = splitter.chunk(document)
        check_chunks(document, chunks)
        relations += check_extraction(extractor, document, chunks)
    return relations


def test_a_sample_keeps_its_provenance(shared_data: Path, splitter: HaystackSplitter) -> None:
    trials = run(files(shared_data, "ctgov_v2/studies")[::_SAMPLE], splitter)
    assert {"STUDIES", "TESTS", "MEASURES", "HAS_ARM", "SPONSORED_BY", "MENTIONS", "EXCLUDES"} <= set(trials)
    assert run(files(shared_data, "jats")[::_SAMPLE], splitter)["MENTIONS"] > 100


@pytest.mark.full
@pytest.mark.timeout(600)
def test_all_documents_keep_their_provenance(shared_data: Path, splitter: HaystackSplitter) -> None:
    relations = run(files(shared_data, "ctgov_v2/studies", "jats"), splitter)
    assert relations["STUDIES"] > 700
    assert relations["MENTIONS"] > 10_000
