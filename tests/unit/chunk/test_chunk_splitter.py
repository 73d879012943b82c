"""Every chunk is exactly the text that its spans point to, and nothing of the prose is skipped."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.models.documents import Block, BlockKind, Chunk, Document, Place, Table
from medkg_lab.stages.chunk.errors import NothingToChunk
from medkg_lab.stages.chunk.implementation import SPLITTER
from medkg_lab.stages.chunk.splitter import HaystackSplitter, text_of
from medkg_lab.stages.contracts import ChunkStage
from medkg_lab.stages.embed.weights import load_tokenizer
from medkg_lab.stages.registry import BadOptions, Resources
from tests.unit.contexts import stage_context


def build(**options: Any) -> HaystackSplitter:
    stage = SPLITTER.build(Resources(cache=Path("unused")), SPLITTER.parse_options(options))
    assert isinstance(stage, HaystackSplitter)
    return stage


def block(kind: BlockKind, text: str, *section: str, page: int | None = None) -> Block:
    table = Table(rows=tuple(tuple(row.split(" | ")) for row in text.split("\n")), header_rows=1)
    return Block(
        kind=kind,
        text=text,
        section=section,
        place=Place(element="e", page=page),
        table=table if kind is BlockKind.TABLE else None,
    )


def document(*blocks: Block) -> Document:
    return Document(doc_id="test:1", source="test", title="T", blocks=blocks)


ARTICLE = document(
    block(BlockKind.TITLE, "Metformin in COPD"),
    block(BlockKind.HEADING, "Abstract", "Abstract"),
    block(BlockKind.ABSTRACT, "We gave metformin. It helped.", "Abstract", page=1),
    block(BlockKind.HEADING, "Methods", "Methods"),
    block(BlockKind.PARAGRAPH, "Patients were treated for a year.", "Methods", page=2),
    block(BlockKind.CAPTION, "Table 1 Doses", "Methods"),
    block(BlockKind.TABLE, "Group | Dose\nA | 5 mg\nB | 10 mg", "Methods"),
    block(BlockKind.PARAGRAPH, "They came back monthly.", "Methods"),
    block(BlockKind.REFERENCE, "1. Someone. Something. 2020.", "References"),
)


def test_title_and_abstract_are_one_passage_and_sections_do_not_mix() -> None:
    chunks = build().chunk(ARTICLE)
    assert [(chunk.kind, chunk.section, chunk.text) for chunk in chunks] == [
        ("text", ("Abstract",), "Metformin in COPD\n\nWe gave metformin. It helped."),
        ("text", ("Methods",), "Patients were treated for a year.\n\nThey came back monthly."),
        ("table", ("Methods",), "Table 1 Doses\nGroup | Dose\nA | 5 mg\nB | 10 mg"),
    ]
    assert [chunk.chunk_id for chunk in chunks] == ["test:1#0", "test:1#1", "test:1#2"]
    assert [chunk.page for chunk in chunks] == [None, 2, None]


def test_references_and_other_sections_come_in_when_asked_for() -> None:
    assert any("Someone" in chunk.text for chunk in build(include_references=True).chunk(ARTICLE))
    across = build(within_sections=False).chunk(ARTICLE)
    assert len([chunk for chunk in across if chunk.kind == "text"]) == 1


def test_length_overlap_and_threshold_count_sentences() -> None:
    text = "First came one. Then came two. After it three came. At last four came. Nothing followed."
    source = document(block(BlockKind.PARAGRAPH, text, "S"))
    plain = [chunk.text for chunk in build(split_length=2).chunk(source)]
    assert plain == ["First came one. Then came two.", "After it three came. At last four came.", "Nothing followed."]
    joined = [chunk.text for chunk in build(split_length=2, split_threshold=2).chunk(source)]
    assert joined[-1] == "After it three came. At last four came. Nothing followed."
    overlapping = [chunk.text for chunk in build(split_length=2, split_overlap=1).chunk(source)]
    assert overlapping[1].startswith("Then came two.")


@pytest.mark.parametrize("split_by", ["sentence", "word", "passage", "recursive", "hierarchical", "section"])
def test_no_chunk_has_more_tokens_than_allowed(split_by: str) -> None:
    text = "The quick β-blocker jumped over 5.5 lazy (sleeping) receptors and others " * 60
    chunks = build(split_by=split_by, split_length=100, max_tokens=64).chunk(
        document(block(BlockKind.PARAGRAPH, text, "S"))
    )
    assert max(len(load_tokenizer().encode(chunk.text).ids) for chunk in chunks) <= 64
    assert len(chunks) > 10


@pytest.mark.parametrize("blocks", [(), (block(BlockKind.HEADING, "Alone", "Alone"),)])
def test_a_document_without_text_is_a_typed_error(blocks: tuple[Block, ...]) -> None:
    with pytest.raises(NothingToChunk, match="test:1"):
        build().chunk(document(*blocks))


def test_options_are_checked() -> None:
    with pytest.raises(BadOptions, match="split_overlap must be less"):
        SPLITTER.parse_options({"split_length": 2, "split_overlap": 2})
    with pytest.raises(BadOptions, match="split_by"):
        SPLITTER.parse_options({"split_by": "token"})
    with pytest.raises(BadOptions, match="passages do not overlap"):
        SPLITTER.parse_options({"split_by": "hierarchical", "split_overlap": 1})


def test_a_hierarchy_has_passages_within_passages() -> None:
    source = document(block(BlockKind.PARAGRAPH, "a b c d e f g h i j", "S"))
    texts = [chunk.text for chunk in build(split_by="hierarchical", split_length=8).chunk(source)]
    assert texts == ["a b c d e f g h", "a b c d", "a b", "c d", "e f g h", "e f", "g h", "i j"]
    short = document(block(BlockKind.PARAGRAPH, "a b", "S"))
    assert [chunk.text for chunk in build(split_by="hierarchical", split_length=8).chunk(short)] == ["a b"]


def test_a_section_is_one_passage_as_far_as_the_tokens_allow() -> None:
    sentences = [f"Sentence number {n} is here. " for n in range(30)]
    source = document(block(BlockKind.PARAGRAPH, "".join(sentences), "S"), block(BlockKind.PARAGRAPH, "Other.", "T"))
    assert len(build(split_by="section", split_length=2).chunk(source)) == 2
    several = build(split_by="section", max_tokens=64).chunk(source)
    assert len(several) > 3
    assert all(chunk.text.endswith(".") for chunk in several)


def test_it_is_a_chunk_stage() -> None:
    context, _ = stage_context()
    stage = build()
    assert isinstance(stage, ChunkStage)
    assert stage.execute(context, ARTICLE) == stage.chunk(ARTICLE)


def test_publishing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; import medkg_lab.stages.chunk.implementation, medkg_lab.stages.embed.implementation, "
        "medkg_lab.stages.parse.implementation, medkg_lab.stages.extract.implementation; "
        "heavy = {'haystack', 'onnxruntime', 'onnx', 'tokenizers', 'lxml', 'ahocorasick', 'pysbd', 'openai'}; "
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


TEXTS = st.lists(
    st.sampled_from(
        ["The dose", " was 5.5 mg. ", "It", " helped! ", "(p < 0.05). ", "β ", "e.g. this. ", "\n\n", "word " * 30]
    ),
    min_size=1,
    max_size=12,
).map("".join)
PROSE = st.sampled_from(
    [BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.ABSTRACT, BlockKind.FORMULA, BlockKind.CAPTION]
)
BLOCKS = st.builds(
    block,
    st.one_of(PROSE, st.sampled_from([BlockKind.TABLE, BlockKind.HEADING, BlockKind.TITLE])),
    TEXTS,
    st.sampled_from(["A", "B"]),
)
SPLITTERS = [
    build(split_by=split_by, split_length=length, split_overlap=overlap, max_tokens=48)
    for split_by in ("sentence", "word", "passage", "recursive", "hierarchical", "section")
    for length, overlap in ((2, 0), (3, 1))
    if not overlap or split_by not in ("hierarchical", "section")
]


def squeezed(text: str) -> str:
    return "".join(text.split())


def covered(source: Document, chunks: tuple[Chunk, ...]) -> dict[int, set[int]]:
    places: dict[int, set[int]] = {}
    for chunk in chunks:
        for span in chunk.spans:
            places.setdefault(span.block, set()).update(range(span.start, span.end))
    return places


@settings(max_examples=120, deadline=None)
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=6), stage=st.sampled_from(SPLITTERS))
def test_spans_reproduce_every_chunk_and_miss_nothing(blocks: list[Block], stage: HaystackSplitter) -> None:
    source = document(*blocks)
    try:
        chunks = stage.chunk(source)
    except NothingToChunk:
        assert all(b.kind is BlockKind.HEADING or not b.text.strip() for b in blocks)
        return
    for chunk in chunks:
        assert chunk.text == text_of(source, chunk.spans, chunk.kind == "table")
        assert chunk.text == chunk.text.strip() != ""
        assert (
            len({blocks[span.block].section for span in chunk.spans if blocks[span.block].kind is not BlockKind.TITLE})
            <= 1
        )
    places = covered(source, chunks)
    for number, one in enumerate(blocks):
        seen = places.get(number, set())
        missed = "".join(char for i, char in enumerate(one.text) if i not in seen)
        assert one.kind is BlockKind.HEADING or squeezed(missed) == ""
    assert stage.chunk(source) == chunks
