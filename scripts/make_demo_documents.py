"""Make the PDFs of the bundled demo: two-column articles from readable sources, and two files that must be refused.

Run `python scripts/make_demo_documents.py`; it needs reportlab from the dev dependencies. The same sources always give
the same bytes: no dates, no random file ids, and no compression, whose output differs between versions of zlib.

A source is a UTF-8 file with YAML front matter between `---` lines and then a small part of Markdown: `##` and `###`
headings, paragraphs, one pipe table under a `Table 1. ...` caption line, and a numbered list of references. Blank lines
separate blocks. The front matter may name the picture of a scanned page, which then ends the article; it must be a JPEG,
whose bytes a PDF holds as they are.
"""

import argparse
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml
from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    HRFlowable,
    Image,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Table,
    TableStyle,
)

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "scripts" / "demo_sources"
DEMO = ROOT / "bundled_pipelines" / "demo"
READER_PASSWORD = "open-sesame"
DAMAGED_SOURCE = "dapagliflozin-hfpef"
SYMBOLS = "≤≥≈−β"
"""Characters beyond Windows-1252 that reportlab takes from the Symbol font."""

PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN, TOP, BOTTOM, GUTTER = 17 * mm, 22 * mm, 20 * mm, 7 * mm
COLUMN = (PAGE_WIDTH - 2 * MARGIN - GUTTER) / 2
FULL_WIDTH, TEXT_HEIGHT = PAGE_WIDTH - 2 * MARGIN, PAGE_HEIGHT - TOP - BOTTOM
LEAST_HEIGHT = 200
FIRST_CELL = 0.34
RUNNING_HEAD_Y, FOOT_Y = PAGE_HEIGHT - 14 * mm, 11 * mm

BODY = ParagraphStyle(
    "body", fontName="Times-Roman", fontSize=10, leading=12.3, alignment=TA_JUSTIFY, firstLineIndent=9
)
STYLES = {
    "body": BODY,
    "first": ParagraphStyle("first", BODY, firstLineIndent=0),
    "h2": ParagraphStyle("h2", fontName="Helvetica-Bold", fontSize=11, leading=13.5, spaceBefore=9, spaceAfter=3),
    "h3": ParagraphStyle("h3", fontName="Helvetica-BoldOblique", fontSize=9.6, leading=12, spaceBefore=9, spaceAfter=4),
    "title": ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=17, leading=20.5, spaceAfter=7),
    "authors": ParagraphStyle("authors", fontName="Times-Bold", fontSize=10.5, leading=13, spaceAfter=3),
    "small": ParagraphStyle("small", fontName="Times-Italic", fontSize=8.2, leading=10),
    "abstract": ParagraphStyle("abstract", BODY, firstLineIndent=0, fontSize=10, leading=12.3, spaceAfter=2),
    "caption": ParagraphStyle(
        "caption", fontName="Times-Bold", fontSize=8.6, leading=10.6, spaceBefore=8, spaceAfter=3
    ),
    "cell": ParagraphStyle("cell", fontName="Times-Roman", fontSize=8.2, leading=9.8),
    "reference": ParagraphStyle(
        "reference", BODY, fontSize=8.2, leading=9.8, firstLineIndent=-12, leftIndent=12, spaceAfter=1.5
    ),
}


@dataclass(frozen=True)
class Block:
    """One block of a source's text: `kind` is h2, h3, body, caption, table or reference; only a table has rows."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Paper:
    """A source file, read: what its front matter says, its abstract, and the blocks after it."""

    journal: str
    citation: str
    doi: str
    first_page: int
    title: str
    running_title: str
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    correspondence: str
    keywords: tuple[str, ...]
    abstract: tuple[str, ...]
    blocks: tuple[Block, ...]
    scanned_appendix: str | None = None


def classify(text: str) -> Block:
    """The block that one blank-line-separated piece of a source is."""
    for mark, kind in (("### ", "h3"), ("## ", "h2")):
        if text.startswith(mark):
            return Block(kind, text.removeprefix(mark))
    if text.startswith("|"):
        lines = [line.strip().strip("|") for line in text.splitlines()]
        cells = [tuple(cell.strip() for cell in line.split("|")) for line in lines if set(line) - set("|- ")]
        return Block("table", rows=tuple(cells))
    joined = " ".join(text.split())
    if re.match(r"Table \d+\. ", joined):
        return Block("caption", joined)
    return Block("reference" if re.match(r"\d+\. ", joined) else "body", joined)


def read_paper(text: str) -> Paper:
    """Read one source file.

    Raises ValueError when front matter or abstract is missing, and TypeError when the front matter lacks a field or
    has one too many.
    """
    _, front, body = text.split("---\n", 2)
    fields: dict[str, Any] = yaml.safe_load(front)
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    blocks = [classify(piece.strip()) for piece in re.split(r"\n\s*\n|\n(?=\d+\. )", body) if piece.strip()]
    if not blocks or blocks[0] != Block("h2", "Abstract"):
        raise ValueError("a source begins with the heading '## Abstract' after its front matter")
    end = next(number for number, block in enumerate(blocks) if number and block.kind == "h2")
    abstract = tuple(block.text for block in blocks[1:end])
    return Paper(**(fields | lists), abstract=abstract, blocks=tuple(blocks[end:]))


def paragraph(text: str, style: str) -> Paragraph:
    """Text in one of STYLES; a leading `Word:` of an abstract's part is set in bold.

    Raises ValueError for a character that the PDF standard fonts cannot show.
    """
    strange = sorted(set(text) - set(SYMBOLS) - set(text.encode("cp1252", "ignore").decode("cp1252")))
    if strange:
        raise ValueError(f"the standard fonts have no {strange}; write it otherwise")
    marked = escape(text)
    if style == "abstract":
        marked = re.sub(r"^([A-Z][a-z]+:)", r"<b>\1</b>", marked)
    return Paragraph(marked, STYLES[style])


def front_flowables(paper: Paper) -> list[Flowable]:
    """What stands across the whole width of the first page: title, authors, affiliations and abstract."""
    rule = HRFlowable(width="100%", thickness=0.6, color=colors.HexColor("#1f4e79"), spaceBefore=5, spaceAfter=5)
    affiliations = [paragraph(f"{number} {text}", "small") for number, text in enumerate(paper.affiliations, 1)]
    return [
        paragraph(paper.title, "title"),
        paragraph(", ".join(paper.authors), "authors"),
        *affiliations,
        paragraph(f"Correspondence: {paper.correspondence}", "small"),
        rule,
        paragraph("Abstract", "h2"),
        *[paragraph(text, "abstract") for text in paper.abstract],
        paragraph(f"Keywords: {'; '.join(paper.keywords)}", "abstract"),
        rule,
    ]


def ruled_table(rows: tuple[tuple[str, ...], ...]) -> Table:
    """A table as wide as a column, ruled as journals do: above, below, and under the header row."""
    rest = len(rows[0]) - 1
    widths = [COLUMN * FIRST_CELL] + [COLUMN * (1 - FIRST_CELL) / rest] * rest
    cells = [[paragraph(text, "cell") for text in row] for row in rows]
    table = Table(cells, colWidths=widths, repeatRows=1, spaceAfter=9)
    rules = [("LINEABOVE", (0, 0), (-1, 0), 0.9, colors.black), ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black)]
    tight = [
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    table.setStyle(TableStyle([*rules, ("LINEBELOW", (0, -1), (-1, -1), 0.9, colors.black), *tight]))
    return table


def body_flowables(blocks: tuple[Block, ...]) -> list[Flowable]:
    """The two-column part; a paragraph that opens a section is not indented, and a caption stays with its table."""
    flow: list[Flowable] = []
    previous = "h2"
    for block in blocks:
        if block.kind == "table":
            flow.append(KeepTogether([flow.pop(), ruled_table(block.rows)]))
        elif block.kind in ("h2", "h3"):
            heading = paragraph(block.text, block.kind)
            heading.keepWithNext = 1
            flow.append(heading)
        else:
            opens = block.kind == "body" and previous in ("h2", "h3")
            flow.append(paragraph(block.text, "first" if opens else block.kind))
        previous = block.kind
    return flow


def page_furniture(paper: Paper, first: bool) -> Callable[[Canvas, BaseDocTemplate], None]:
    """The function that draws running head and foot of a page, with the journal's own page number."""

    def draw(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setFont("Helvetica", 7.5)
        canvas.drawString(MARGIN, RUNNING_HEAD_Y, paper.journal if first else paper.running_title)
        canvas.drawRightString(PAGE_WIDTH - MARGIN, RUNNING_HEAD_Y, paper.citation)
        canvas.setLineWidth(0.4)
        canvas.line(MARGIN, RUNNING_HEAD_Y - 4, PAGE_WIDTH - MARGIN, RUNNING_HEAD_Y - 4)
        canvas.drawString(MARGIN, FOOT_Y, f"doi:{paper.doi}" if first else paper.journal)
        canvas.drawRightString(
            PAGE_WIDTH - MARGIN, FOOT_Y, "Invented article; no real data" if first else paper.citation
        )
        canvas.drawCentredString(PAGE_WIDTH / 2, FOOT_Y, str(paper.first_page + document.page - 1))

    return draw


def columns(height: float, top: float = PAGE_HEIGHT - TOP) -> list[Frame]:
    """The two column frames of a page, `height` points high and ending at `top`."""
    return [frame(x, top - height, COLUMN, height) for x in (MARGIN, MARGIN + COLUMN + GUTTER)]


def frame(x: float, y: float, width: float, height: float) -> Frame:
    """A place for text without padding, in points from the lower left corner of the page."""
    return Frame(x, y, width, height, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)


def height_of(flowables: list[Flowable], width: float) -> float:
    """How many points the flowables need one under the other."""
    spaces = sum(float(each.getSpaceBefore()) + float(each.getSpaceAfter()) for each in flowables)
    return spaces + sum(float(each.wrap(width, PAGE_HEIGHT)[1]) for each in flowables)


def scanned_page(scan: Path) -> list[Flowable]:
    """A page that is one picture and holds no text, not even a running head."""
    # Given a path, reportlab would name the picture in the PDF after it: other bytes in every checkout.
    return [PageBreak("scanned"), Image(BytesIO(scan.read_bytes()), PAGE_WIDTH, PAGE_HEIGHT)]


def typeset(
    paper: Paper, full_pages: int, last_height: float, password: str | None = None, appendix: Sequence[Flowable] = ()
) -> tuple[int, bytes]:
    """Lay the article out with `full_pages` full pages, columns of `last_height` points after them, and the appendix.

    Gives the number of pages and the bytes of the PDF.
    """
    front = front_flowables(paper)
    front_height = height_of(front, FULL_WIDTH)
    top = PAGE_HEIGHT - TOP - front_height
    opening = [frame(MARGIN, top, FULL_WIDTH, front_height), *columns(TEXT_HEIGHT - front_height, top)]
    lock = StandardEncryption(password, ownerPassword=f"{password}-owner", strength=128) if password else None
    buffer = BytesIO()
    document = BaseDocTemplate(buffer, pagesize=A4, invariant=1, pageCompression=0, encrypt=lock)
    document.title, document.author, document.subject = paper.title, ", ".join(paper.authors), paper.citation
    document.addPageTemplates(
        [
            PageTemplate("opening", opening, onPage=page_furniture(paper, first=True)),
            PageTemplate("following", columns(TEXT_HEIGHT), onPage=page_furniture(paper, first=False)),
            PageTemplate("closing", columns(last_height), onPage=page_furniture(paper, first=False)),
            PageTemplate("scanned", frame(0, 0, PAGE_WIDTH, PAGE_HEIGHT)),
        ]
    )
    later = ["following"] * (full_pages - 1) + ["closing"]
    document.build([NextPageTemplate(later), *front, FrameBreak(), *body_flowables(paper.blocks), *appendix])
    return document.page, buffer.getvalue()


def render(paper: Paper, sources: Path, password: str | None = None) -> bytes:
    """The article as the bytes of a PDF, the same for the same article; its pictures are in the folder `sources`.

    The last page of text is balanced: its columns are as short as they can be without a further page.
    """
    pages, _ = typeset(paper, 1, TEXT_HEIGHT)
    heights = range(LEAST_HEIGHT, int(TEXT_HEIGHT))
    found = bisect_left(heights, True, key=lambda height: typeset(paper, pages - 1, height)[0] <= pages)
    appendix = scanned_page(sources / paper.scanned_appendix) if paper.scanned_appendix else []
    return typeset(paper, pages - 1, heights[found], password, appendix)[1]


def make_all(sources: Path) -> dict[str, bytes]:
    """Every generated file: its path in the demo folder and its bytes."""
    papers = {path.stem: read_paper(path.read_text(encoding="utf-8")) for path in sorted(sources.glob("*.md"))}
    files = {f"papers/{name}.pdf": render(paper, sources) for name, paper in papers.items()}
    whole = files[f"papers/{DAMAGED_SOURCE}.pdf"]
    files["broken/truncated.pdf"] = whole[: len(whole) // 2]
    files["broken/encrypted.pdf"] = render(papers[DAMAGED_SOURCE], sources, READER_PASSWORD)
    return files


def main() -> None:
    """Write all generated files into the demo folder, or into `--out`."""
    parser = argparse.ArgumentParser(description="Make the PDFs of the bundled demo from scripts/demo_sources.")
    parser.add_argument("--out", type=Path, default=DEMO, help="the folder to write papers/ and broken/ into")
    out: Path = parser.parse_args().out
    for name, content in make_all(SOURCES).items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        print(f"{name}: {len(content)} bytes")


if __name__ == "__main__":
    main()
