"""Real PDFs: the damaged ones end in an outcome, the good ones give the text that their JATS has."""

import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.pdf.converter import Bounds, DocvortexConverter
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, Reading, read_middle
from medkg_lab.xml_source import parse_xml

BOUNDS = Bounds(timeout_seconds=60, memory_mib=4096, max_bytes=200_000_000)
SAMPLE = {
    "pdfium2_encrypted.pdf": "EncryptedPdf",
    "pdfminer_aes-256.pdf": "EncryptedPdf",
    "qpdf_bad1.pdf": "DamagedPdf",
    "qpdf_empty.pdf": "DamagedPdf",
    "pdfjs_poppler-742-0-fuzzed.pdf": "DamagedPdf",
    "pdfjs_boundingBox_invalid.pdf": "text",
    "pdfjs_bomb_giant.pdf": "text",
    "qpdf_bad2.pdf": "text",
    "pdfjs_empty.pdf": "nothing",
    "pdfjs_issue7229.pdf": "nothing",
}


def read(path: Path) -> Reading:
    made = DocvortexConverter(BOUNDS).convert(path.read_bytes(), lambda: False)
    source = PdfSource(f"file:{path.name}", path.name, made.pages, made.blank_pages, made.tool, made.tool_version)
    return read_middle(made.middle, source)


def outcome(path: Path) -> str:
    try:
        return "text" if read(path).document.blocks else "nothing"
    except DocumentError as error:
        return type(error).__name__


@pytest.mark.parametrize(("name", "expected"), SAMPLE.items(), ids=SAMPLE.keys())
def test_bad_pdf(shared_data, name, expected):
    assert outcome(shared_data / "pdf" / "bad" / name) == expected


@pytest.mark.full
@pytest.mark.timeout(600)
def test_every_bad_pdf_ends_in_an_outcome(shared_data):
    folder = shared_data / "pdf" / "bad"
    rows = [line.split("\t") for line in (folder / "OUTCOMES.tsv").read_text().splitlines()[1:]]
    found = {name: outcome(folder / name) for name, *_ in rows}
    others = {name: verdict for name, verdict, *_ in rows}
    assert {others[name] for name, kind in found.items() if kind == "EncryptedPdf"} == {"password"}
    assert all(found[name] == "EncryptedPdf" for name, verdict in others.items() if verdict == "password")
    assert all(found[name] == "DamagedPdf" for name, verdict in others.items() if verdict.endswith("_error"))
    without = [name for name, verdict in others.items() if verdict == "opens_with_text" and found[name] != "text"]
    assert without == []


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]{2,}|\d+", text.lower())


def recall(document: Document, article: Path) -> float:
    """The share of the words of the article's title, abstract and body, each as often as it stands there, found in the PDF."""
    root = parse_xml(article.read_bytes())
    parts = [
        *root.findall("front/article-meta/title-group"),
        *root.findall("front/article-meta/abstract"),
        *root.findall("body"),
    ]
    wanted = Counter(words(" ".join(" ".join(map(str, part.itertext())) for part in parts)))
    given = Counter(words(" ".join(block.text for block in document.blocks)))
    return sum((wanted & given).values()) / sum(wanted.values())


def test_one_paper_in_detail(shared_data):
    document = read(shared_data / "pdf" / "paired_with_jats" / "PMC4686705.pdf").document
    kinds = Counter(block.kind for block in document.blocks)
    assert document.title.startswith("Synaptosomal Protein of 25 kDa")
    assert document.identifiers == {"doi": "10.1155/2016/8943092"}
    assert kinds[BlockKind.REFERENCE] >= 14
    assert kinds[BlockKind.TABLE] == 2
    table = next(block.table for block in document.blocks if block.kind is BlockKind.TABLE)
    assert table is not None
    assert "HbA1c (IU)" in {row[0] for row in table.rows}
    assert not any(block.text == "Journal of Diabetes Research" for block in document.blocks)
    sections = {block.section[0] for block in document.blocks if block.section}
    assert {"1. Introduction", "2. Methods", "3. Results and Discussion", "References"} <= sections
    assert recall(document, shared_data / "jats" / "PMC4686705.nxml") > 0.97


@pytest.mark.full
@pytest.mark.timeout(600)
def test_papers_give_the_words_of_their_articles(shared_data):
    papers = sorted((shared_data / "pdf" / "paired_with_jats").glob("*.pdf"))
    readings = {path: read(path) for path in papers}
    assert all(reading.missing_pages == () for reading in readings.values())
    found = [recall(reading.document, shared_data / "jats" / f"{path.stem}.nxml") for path, reading in readings.items()]
    assert statistics.median(found) >= 0.98, found
    assert min(found) >= 0.93, found
