"""What leaves the lab is read back by others: the same text, at the offsets that are said."""

import csv
import io
import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.answers import PublishedDocument
from medkg_lab.lab.citations import bibtex, ris
from medkg_lab.lab.document_formats import FORMATS, Parsed, annotations, bioc, files_of, markdown, pubtator, tables
from medkg_lab.models.documents import (
    Block,
    BlockKind,
    Chunk,
    ChunkSpan,
    Document,
    Extraction,
    Mention,
    Node,
    Place,
    Table,
)
from medkg_lab.sources import sniff
from medkg_lab.stages.parse.auto import parse
from medkg_lab.stages.parse.text import squeeze

PLACE = Place(element="x")
ROWS = (("drug", "n"), ("aspirin, 100 mg", '12 "a"'), ("a | b", "2"))


def block(kind: BlockKind, text: str, *section: str, table: Table | None = None) -> Block:
    return Block(kind=kind, text=text, section=section, place=PLACE, table=table)


BLOCKS = (
    block(BlockKind.TITLE, "Aspirin in gout"),
    block(BlockKind.HEADING, "Abstract", "Abstract"),
    block(BlockKind.ABSTRACT, "We gave aspirin.", "Abstract"),
    block(BlockKind.HEADING, "Methods", "Methods"),
    block(BlockKind.LIST_ITEM, "# one * two", "Methods"),
    block(BlockKind.LIST_ITEM, "aspirin again", "Methods"),
    block(BlockKind.TABLE, "drug | n", "Methods", table=Table(rows=ROWS, header_rows=1)),
    block(BlockKind.PARAGRAPH, "No gout.", "Methods"),
)
DOCUMENT = Document(
    doc_id="pubmed:7", source="pubmed", title="Aspirin in gout", identifiers={"pmid": "7"}, metadata={"year": 2020}, blocks=BLOCKS
)  # fmt: skip
CHUNKS = (
    Chunk(
        chunk_id="pubmed:7#0",
        doc_id="pubmed:7",
        number=0,
        text="We gave aspirin.",
        spans=(ChunkSpan(block=2, start=0, end=16),),
    ),
    Chunk(
        chunk_id="pubmed:7#1",
        doc_id="pubmed:7",
        number=1,
        text="# one * two\naspirin again",
        spans=(ChunkSpan(block=4, start=0, end=11), ChunkSpan(block=5, start=0, end=13)),
    ),
)
EXTRACTION = Extraction(
    doc_id="pubmed:7",
    nodes=(Node(node_id="mesh:D001241", kind="drug", name="Aspirin"),),
    mentions=(
        Mention(chunk_id="pubmed:7#0", start=8, end=15, text="aspirin", node_id="mesh:D001241"),
        Mention(chunk_id="pubmed:7#1", start=12, end=19, text="aspirin", node_id="mesh:D001241"),
        Mention(chunk_id="gone#1", start=0, end=7, text="aspirin", node_id="mesh:D001241"),
    ),
)
PARSED = Parsed(DOCUMENT, CHUNKS, EXTRACTION)


def test_mentions_are_placed_in_their_blocks() -> None:
    assert [(one.block, one.start, one.text) for one in annotations(PARSED)] == [(2, 8, "aspirin"), (5, 0, "aspirin")]
    assert annotations(Parsed(DOCUMENT)) == []


def test_bioc_offsets_count_over_the_whole_text() -> None:
    [document] = json.loads(bioc(PARSED))["documents"]
    whole = "\n".join(one.text for one in BLOCKS)
    marked = [each for passage in document["passages"] for each in passage["annotations"]]
    assert [passage["text"] for passage in document["passages"]] == [one.text for one in BLOCKS]
    for passage in document["passages"]:
        assert whole[passage["offset"] :].startswith(passage["text"])
    assert len(marked) == 2
    for one in marked:
        [place] = one["locations"]
        assert whole[place["offset"] : place["offset"] + place["length"]] == one["text"] == "aspirin"
        assert one["infons"] == {"identifier": "mesh:D001241", "type": "drug"}
    again = parse(bioc(PARSED).encode(), "bioc:7", "bioc")
    assert (again.title, again.identifiers) == (DOCUMENT.title, {"pmid": "7"})


def test_pubtator_offsets_count_over_title_and_abstract() -> None:
    title, abstract, *rows, end, _ = pubtator(PARSED).split("\n")
    text = f"{title.removeprefix('7|t|')} {abstract.removeprefix('7|a|')}"
    assert text == "Aspirin in gout We gave aspirin."
    assert end == ""
    [row] = [line.split("\t") for line in rows]
    assert row == ["7", "24", "31", "aspirin", "drug", "mesh:D001241"]
    assert text[24:31] == "aspirin"


def test_tables_come_back_from_csv() -> None:
    files = tables(PARSED)
    assert list(files) == ["table-1.csv"]
    assert tuple(map(tuple, csv.reader(io.StringIO(files["table-1.csv"], newline="")))) == ROWS


def test_markdown_reads_back_as_the_same_blocks() -> None:
    again = parse(markdown(PARSED).encode(), "x:1", "x", sniff.MARKDOWN)
    assert again.title == DOCUMENT.title
    kept = [(one.kind, one.text) for one in again.blocks if one.section]
    assert kept == [
        (BlockKind.HEADING, "Abstract"),
        (BlockKind.PARAGRAPH, "We gave aspirin."),
        (BlockKind.HEADING, "Methods"),
        (BlockKind.LIST_ITEM, "# one * two"),
        (BlockKind.LIST_ITEM, "aspirin again"),
        (BlockKind.TABLE, 'drug | n\naspirin, 100 mg | 12 "a"\na | b | 2'),
        (BlockKind.PARAGRAPH, "No gout."),
    ]


WORDS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
LINES = st.lists(
    st.one_of(WORDS, st.sampled_from(["#", "-", "+", "1.", "2)", "---", "===", "~~~", "&lt;", "|", "<b>", "\\"])),
    min_size=1,
)


@given(st.lists(LINES.map(" ".join).map(squeeze).filter(bool), min_size=1, max_size=4))
def test_any_text_comes_back_from_markdown(texts: list[str]) -> None:
    blocks = [block(BlockKind.PARAGRAPH, text) for text in texts]
    made = Document(doc_id="x:1", source="x", title="T", blocks=tuple(blocks))
    again = parse(markdown(Parsed(made)).encode(), "x:1", "x", sniff.MARKDOWN)
    assert [one.text for one in again.blocks if one.kind is BlockKind.PARAGRAPH] == texts


def test_every_format_has_files() -> None:
    assert all(files_of(PARSED, one) for one in FORMATS)


def published(doc_id: str, title: str, metadata: Mapping[str, object]) -> PublishedDocument:
    return PublishedDocument(
        doc_id=doc_id, tenant="default", source=None, title=title, metadata=metadata, job_id="j", chunks=1
    )


ARTICLE = published(
    "pmc:PMC7",
    "50% of A & B_C",
    {
        "authors": ["Anna B Müller", "The ZZ Study Group", "Plato"],
        "journal": "Lung",
        "year": 2020,
        "first_page": "1",
        "last_page": "9",
        "doi": "10.1234/a_b",
        "pmc": "PMC7",
        "retracted": True,
    },
)
TRIAL = published("clinicaltrials:NCT00000001", "A\r\nER  - x", {"nct": "NCT00000001", "start_date": "2019-05"})


def test_ris_has_a_record_for_each_document() -> None:
    first, second, _ = ris([ARTICLE, TRIAL]).split("ER  - \r\n\r\n")
    assert first.split("\r\n")[:4] == ["TY  - JOUR", "ID  - pmc:PMC7", "TI  - 50% of A & B_C", "AU  - Müller, Anna B"]
    assert "AU  - The ZZ Study Group\r\nAU  - Plato\r\n" in first
    assert "DO  - 10.1234/a_b\r\n" in first
    assert "N1  - RETRACTED\r\n" in first
    assert "TY  - GEN" in second
    assert "TI  - A ER - x\r\n" in second
    assert "UR  - https://clinicaltrials.gov/study/NCT00000001" in second


def test_bibtex_escapes_and_names_each_entry_once() -> None:
    text = bibtex([ARTICLE, ARTICLE, TRIAL])
    assert "@article{Muller2020," in text
    assert "@article{Muller2020-2," in text
    assert r"title = {50\% of A \& B\_C}," in text
    assert "author = {Müller, Anna B and The ZZ Study Group and {Plato}}," in text
    assert "doi = {10.1234/a_b}," in text
    assert "note = {Retracted}," in text
    assert text.count("@misc{") == 1


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_any_metadata_makes_balanced_entries_and_one_record(title: str, authors: list[str]) -> None:
    given_one = published("x:1", title, {"authors": authors})
    text = bibtex([given_one]).replace(r"\{", "").replace(r"\}", "")
    assert text.count("{") == text.count("}")
    assert ris([given_one]).count("\r\nER  - \r\n") == 1
