"""Checks of what the readers of articles, studies and converted PDFs keep: no number that nobody wrote, and nothing lost."""

from pathlib import Path

from medkg_lab.models.documents import BlockKind, Chunk, Document
from medkg_lab.pdf.converter import Bounds, run_converter
from medkg_lab.pdf.worker import read_conversion
from medkg_lab.stages.chunk.options import SplitterOptions
from medkg_lab.stages.chunk.splitter import HaystackSplitter
from medkg_lab.stages.chunk.splitters import build_splitter
from medkg_lab.stages.embed.weights import load_tokenizer
from medkg_lab.stages.parse.auto import parse
from tests.cases.case import Context, Outcome, case
from tests.waiting import wait_until


def read(path: Path) -> Document:
    """The document that the parse stage makes of a file."""
    return parse(path.read_bytes(), f"file:{path.name}", "file")


def text_of(document: Document) -> str:
    """All of a document's text, a block a line."""
    return "\n".join(block.text for block in document.blocks)


def judged(text: str, wanted: tuple[str, ...], unwanted: tuple[str, ...] = ()) -> Outcome:
    """Right when the text holds all of `wanted` and nothing of `unwanted`."""
    missing = [one for one in wanted if one not in text]
    found = [one for one in unwanted if one in text]
    return Outcome(not missing and not found, f"missing {missing}, wrong {found}: {' '.join(text.split())[:600]}")


@case("documents/06", "citation marks in every form are references: stroke [1,2], 2019 [12], PD-1 [3], 65 [3]")
def citation_marks(context: Context) -> Outcome:
    text = text_of(read(context.inputs / "article.nxml"))
    wanted = (
        "stroke [1,2]",
        "bleeding [1] in 2019 [12] and PD-1 [3]",
        "death [1,2]",
        "infarction [1,2] in those over 65 [3]",
    )
    return judged(text, wanted, ("^12", "death1"))


@case("documents/07", "the DOI, the PMID, the year and the journal of a reference are words of their own")
def citation_ids(context: Context) -> Outcome:
    text = text_of(read(context.inputs / "article.nxml"))
    return judged(text, ("Vet, 2012, 10.9999/y, 99999998", "10.9999/x, 99999999"), ("Vet2012", "y99999998"))


@case("documents/08", "the OASIS table has its cells, and a table that is an image is told")
def oasis_table(context: Context) -> Outcome:
    document = read(context.inputs / "article.nxml")
    return judged(
        f"{text_of(document)}\n{document.warnings}", ("Drug | Dose\nIbuprofen | 400 mg", "Table 1 is an image")
    )


@case(
    "documents/10", "the article is retracted and names the notice; the notice names the article and is not retracted"
)
def retraction(context: Context) -> Outcome:
    article, notice = read(context.inputs / "article.nxml"), read(context.inputs / "notice.nxml")
    right = (
        article.metadata.get("retracted") is True
        and article.metadata.get("notices") == ["10.9999/retr.8"]
        and bool(article.warnings)
        and notice.metadata.get("notice_of") == ["10.9999/invented.8"]
        and "retracted" not in notice.metadata
    )
    return Outcome(right, f"{article.metadata}, {article.warnings}; notice: {notice.metadata}")


@case("documents/12", "affiliation and ORCID are in the metadata")
def front_matter(context: Context) -> Outcome:
    document = read(context.inputs / "article.nxml")
    wanted = ("Department of Zzcardiology, University of Nowhere", "0000-0000-0000-0001", "The ZZINVENT Study Group")
    return judged(str(document.metadata), wanted)


@case("documents/30", "a formula that is an image alone leaves a placeholder, and the document a warning")
def formula_images(context: Context) -> Outcome:
    image = "<inline-formula><inline-graphic href='f.gif'/></inline-formula>"
    displayed = "<disp-formula><graphic/><label>(1)</label></disp-formula>"
    body = f"<p>The number is denoted {image}. A threshold of {image} kcal/mol.</p>{displayed}"
    front = "<front><article-meta><title-group><article-title>T</article-title></title-group></article-meta></front>"
    path = context.scratch / "article.xml"
    path.write_text(f"<article>{front}<body>{body}</body></article>")
    document = read(path)
    formulas = [block.text for block in document.blocks if block.kind is BlockKind.FORMULA]
    text = f"{text_of(document)}\n{document.warnings}\n{formulas}"
    return judged(text, ("denoted [formula].", "of [formula] kcal/mol", "[formula] (1)", "3 formulas are images"))


@case(
    "documents/18",
    "class denominators, numbers of events, documents, agreement and the registry's notes are in the text",
)
def results(context: Context) -> Outcome:
    text = text_of(read(context.inputs / "results.json"))
    wanted = (
        "PD-L1 high: Participants analysed | 33",
        "3/60 (4 events)",
        "zzlarge",
        "Prot_SAP_000.pdf",
        "zzagreement",
        "zzunposted",
        "zzviolation",
        "zzcomment",
    )
    return judged(text, wanted)


def converted(path: Path) -> Document:
    """The document of a PDF, converted as the PDF process does it."""
    conversion = run_converter(path.read_bytes(), Bounds(120.0, 4096, 1 << 28), lambda: False)
    return read_conversion(conversion, f"file:{path.name}", path.name).document


def passages(document: Document) -> list[Chunk]:
    """The document's passages by the splitter's own options."""
    splitter = build_splitter("sentence", 10, 0, 0)
    return list(HaystackSplitter(SplitterOptions(), splitter, load_tokenizer()).chunk(document))


@case(
    "documents/01",
    "raised numbers in a PDF are powers or references: 10^6, 10^-8, 2019 [12], stroke [1,2]; doubts are told",
)
def pdf_superscripts(context: Context) -> Outcome:
    document = converted(context.inputs / "sup.pdf")
    wanted = (
        "2 x 10^6 cells per m^2",
        "CO2 and Ca2+",
        "stroke [1,2]",
        "2019 [12]",
        "5 x 10^-8",
        "kg/m^2",
        "Zzmueller [1,*]",
    )
    return judged(
        f"{text_of(document)}\n{document.warnings}", (*wanted, "might be powers"), ("106", "201912", "stroke1")
    )


@case("documents/19", "hyphens at line ends stay in compounds and go from words")
def pdf_hyphens(context: Context) -> Outcome:
    text = text_of(converted(context.inputs / "hyph.pdf"))
    wanted = (
        "double-blind placebo-controlled",
        "well-known",
        "T-cell",
        "long-term follow-up",
        "5-fluorouracil",
        "2018-2019",
    )
    return judged(
        text,
        (*wanted, "anti-inflammatory treatment with acetylsalicylic", "IL-6", "hypothyroidism", "post-operative"),
        ("- ",),
    )


@case("documents/20", "line numbers are not in the text")
def pdf_line_numbers(context: Context) -> Outcome:
    document = converted(context.inputs / "preprint.pdf")
    numbers = [block.text for block in document.blocks if block.text.strip().isdecimal()]
    text = text_of(document)
    return Outcome(
        not numbers and "PAGE2P11" in text and "medRxiv" not in text,
        f"blocks of numbers: {numbers}; {document.warnings}",
    )


@case(
    "documents/21",
    "each passage of a table has its header and caption, over the page too; a turned table is read by rows",
)
def pdf_tables(context: Context) -> Outcome:
    tables = [one for one in passages(converted(context.inputs / "table.pdf")) if one.kind == "table"]
    without = [one.number for one in tables if "Arm A (n=120)" not in one.text or "Table 1." not in one.text]
    turned = text_of(converted(context.inputs / "rot.pdf"))
    found = judged(
        turned, ("Table 2. Landscape", "Colchicine dose 0 | 0 mg | 3 patients | 0.0%\nColchicine dose 1 | 2 mg")
    )
    right = found.right and len(tables) > 1 and not without
    return Outcome(right, f"{len(tables)} passages, without header or caption: {without}; turned: {found.got[:300]}")


@case("documents/23", "LaTeX and raised numbers of MinerU are text: 95 %, 10^6, CO2, TNF-α; treat- ment is treatment")
def mineru_latex(context: Context) -> Outcome:
    text = text_of(read(context.inputs / "paper_content_list.json"))
    wanted = ("95 % (CI 90-97 %), with 10^6 cells, CO2, TNF-α and β-blockers; p < 0.05", "5 μg/kg", "×10^6", "5.1 [a]")
    return judged(text, (*wanted, "eGFR = 141", "The treatment was stopped in 5-FU arms"), ("$", "\\", "106"))


@case("documents/31", "each line of a cell is a row or apart from the next")
def pdf_cells(context: Context) -> Outcome:
    text = text_of(converted(context.inputs / "cells.pdf"))
    return judged(text, ("Age (years) | 25% | 37.0 | 38.8 | 35.5", "| 75% | 50.8 | 54.3 | 47.0"), ("37.050.8",))


@case("documents/33", "the converted text of a PDF that waits is shown by `jobs show --stage pdf` and by `gate show`")
def pdf_text_shown(context: Context) -> Outcome:
    with context.lab() as lab:
        lab.ok("submit", str(context.inputs / "mixed.pdf"))
        wait_until(lambda: any(gate["evidence"] for gate in lab.ok("gate", "list")), 120, "the converted text")
        (job,) = lab.ok("jobs", "list")
        shown = lab.run("jobs", "show", job["doc_id"], "--stage", "pdf").out
        gate = lab.run("gate", "show", job["doc_id"]).out
    told = [text for text in (shown, gate) if "Ketamine was given to patients with depression" in text]
    return Outcome(len(told) == 2, f"{len(told)} of 2 show it: {' '.join(gate.split())[:400]}")
