"""Checks of what the readers of articles, studies and converted PDFs keep: no number that nobody wrote, and nothing lost."""

from pathlib import Path

from medkg_lab.models.ir import BlockKind, Document
from medkg_lab.stages.parse.auto import parse
from tests.cases.case import Context, Outcome, case


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
