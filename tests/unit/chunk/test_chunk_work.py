"""Work grows with the document, not with its square; what is too large for any stage is refused in words.

Counted are the lines that run in the lab's own modules, which do not depend on the machine or its load.
"""

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from lxml import etree

from medkg_lab.models.documents import Block, BlockKind, Document, Place
from medkg_lab.stages import limits
from medkg_lab.stages.chunk import sentences
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import bundled
from medkg_lab.stages.limits import TooManyBlocks, TooManyCells, TooMuchText
from medkg_lab.stages.parse.auto import parse
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.pdf_ir.tables import read_table
from medkg_lab.stages.parse.xml import parse_xml
from tests.unit.chunk.test_chunk_splitter import build

SMALL = 300
NEARLY_TWICE = 2.3
EXTRACTOR = StructuredExtractor(bundled())


def article(body: str) -> bytes:
    head = "<front><article-meta><title-group><article-title>T</article-title></title-group></article-meta></front>"
    return f"<article>{head}<body>{body}</body></article>".encode()


def criteria(text: str, **modules: Any) -> bytes:
    names = {"nctId": "NCT00000001", "briefTitle": "T"}
    study = {"identificationModule": names, "eligibilityModule": {"eligibilityCriteria": text}, **modules}
    return json.dumps({"protocolSection": study}).encode()


ROW = "<tr>" + "<td>1</td>" * 5 + "</tr>"
TABLE = "<table-wrap><caption><p>c</p></caption><table><tr><td>1</td></tr></table></table-wrap><p>x</p>"
DOCUMENTS: dict[str, Callable[[int], bytes]] = {
    "paragraphs": lambda n: article("<p>x</p>" * n),
    "sections": lambda n: article("<sec><title>s</title><p>x y.</p></sec>" * n),
    "sentences": lambda n: article(f"<p>{'We saw it in mice. ' * n}</p>"),
    "sentences within a bracket": lambda n: article(f"<p>({'We saw it in mice. ' * n}</p>"),
    "doubtful stops": lambda n: article(f"<p>{'Dr. Who saw e.g. Fig. 2. ' * n}</p>"),
    "a long word": lambda n: article(f"<p>{'A' * 20 * n}</p>"),
    "rows": lambda n: article(f"<table-wrap><table>{ROW * n}</table></table-wrap>"),
    "cells": lambda n: article(f"<table-wrap><table><tr>{'<td>1</td>' * n}</tr></table></table-wrap>"),
    "tables": lambda n: article(TABLE * n),
    "references in a text": lambda n: article(f"<p>{'word <xref>1</xref> ' * n}</p>"),
    "inline elements": lambda n: article(f"<p>{'<bold>w</bold><sup/> ' * n}</p>"),
    "list items": lambda n: article(f"<list>{'<list-item><label>1</label><p>a b</p></list-item>' * n}</list>"),
    "cited articles": lambda n: article(
        f"<ref-list>{'<ref><mixed-citation>A. T.</mixed-citation></ref>' * n}</ref-list>"
    ),
    "bullets": lambda n: criteria("* a b\n" * n),
    "lines": lambda n: criteria("a b c\n" * n),
    "denials": lambda n: criteria("no diabetes " * n),
    "conditions": lambda n: criteria("x", conditionsModule={"conditions": [f"c{one}" for one in range(n)]}),
}


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of the lab's stages run."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "call" and "medkg_lab/stages" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", DOCUMENTS)
def test_twice_the_document_is_twice_the_work(name: str) -> None:
    splitter = build()

    def work(size: int) -> None:
        sentences._known_paragraph.cache_clear()
        document = parse(DOCUMENTS[name](size), "file:x", "file")
        EXTRACTOR.extract(document, splitter.chunk(document))

    work(SMALL)
    small, large = lines_run(lambda: work(SMALL)), lines_run(lambda: work(2 * SMALL))
    assert large <= NEARLY_TWICE * small


def test_brackets_that_stay_open_are_counted_once() -> None:
    counted = 0

    class Text(str):
        __slots__ = ()

        def count(self, sub: str, start: Any = None, end: Any = None) -> int:
            nonlocal counted
            counted += (len(self) if end is None else end) - (start or 0)
            return str.count(self, sub, start, end)

    text = Text("(" + "We saw it in mice. " * 200)
    assert "".join(sentences._paragraph(text)) == text
    assert counted <= 8 * len(text)


def test_paths_are_those_of_libxml2() -> None:
    root = parse_xml(
        b'<a xmlns:m="urn:m" xmlns:n="urn:n"><b/><b><c/></b>x<d/><m:b/><m:b/><n:d/><e xmlns="urn:e"><f/><g/></e>'
        b'<e xmlns="urn:e"/><o:d xmlns:o="urn:n"/><b/></a>'
    )
    paths, tree = Paths(), etree.ElementTree(root)
    assert [paths.of(item) for item in root.iter()] == [tree.getpath(item) for item in root.iter()]


def test_a_document_of_too_many_blocks_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.MAX_BLOCKS == 100_000
    monkeypatch.setattr(limits, "MAX_BLOCKS", 1000)
    with pytest.raises(TooManyBlocks, match="more than 1000 paragraphs"):
        parse(article("<p>x</p>" * (limits.MAX_BLOCKS + 1)), "file:x", "file")
    with pytest.raises(TooManyBlocks):
        parse(criteria("* a\n" * (limits.MAX_BLOCKS + 1)), "file:x", "file")
    one = Block(kind=BlockKind.PARAGRAPH, text="x", place=Place(element="e"))
    document = Document(doc_id="x:1", source="x", title="T", blocks=(one,) * (limits.MAX_BLOCKS + 1))
    with pytest.raises(TooManyBlocks):
        build().chunk(document)


def test_too_much_text_is_refused_in_words_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CHARACTERS", 10_000)
    with pytest.raises(TooMuchText, match="more than 10000 characters"):
        parse(article(f"<p>{'x' * 10_001}</p>"), "file:x", "file")
    with pytest.raises(TooMuchText):  # the section's name goes with every block in it
        parse(article(f"<sec><title>{'t' * 200}</title>{'<p>x</p>' * 60}</sec>"), "file:x", "file")


def test_a_table_that_claims_more_cells_than_it_has_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CELLS", 1000)
    wide = "<tr>" + "<td>1</td>" * 100 + "</tr>" + "<tr><td>1</td></tr>" * 100
    tall = '<tr><td colspan="90" rowspan="90">1</td></tr>' + "<tr/>" * 90
    for rows in (wide, tall):
        with pytest.raises(TooManyCells, match="more than 1000 cells"):
            parse(article(f"<table-wrap><table>{rows}</table></table-wrap>"), "file:x", "file")
        with pytest.raises(TooManyCells):
            read_table(f"<table>{rows}</table>")


def test_a_header_of_one_enormous_word_is_not_repeated() -> None:
    rows = "<tr><td>1 2 3 4 5 6 7 8</td></tr>" * 200
    table = (
        f"<table-wrap><table><thead><tr><th>{'w' * 50_000}</th></tr></thead><tbody>{rows}</tbody></table></table-wrap>"
    )
    document = parse(article(table), "file:x", "file")
    chunks = build().chunk(document)
    assert len(chunks) > 3
    assert sum(len(chunk.text) for chunk in chunks) < 2 * 50_000
