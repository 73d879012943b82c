"""How much of a source's text a parser keeps, document by document."""

import re
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from lxml import etree

from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.evaluation.reference import cells_of, folded, front_pieces, numbers, tokens, values_of, words_of
from medkg_lab.files import read_regular
from medkg_lab.models.documents import Document
from medkg_lab.sources.sniff import Format, sniff
from medkg_lab.stages.parse.auto import parse
from medkg_lab.stages.parse.jats_inline import NO_FORMULA
from medkg_lab.stages.parse.xml import parse_xml

BODY_SHARE, STUDY_SHARE, TOKEN_RECALL, IN_ORDER = "body_share", "study_share", "token_recall", "grams_in_order"
OWN_TOKENS, FRONT_SHARE, CELLS_KEPT, VALUES_KEPT = "own_tokens", "front_share", "cells_kept", "values_kept"
_GRAM = 4
_FEWEST_WORDS = 4
"""A string of a study with fewer words is a code, a date or a name."""
_NO_TEXT = frozenset({"object-id", "tex-math"})
_ESCAPE = re.compile(r"\\(?=[^\w\s])")


@dataclass(frozen=True)
class Completeness:
    """The figures of one document, shares between 0 and 1; `problem` says why there are none."""

    name: str
    figures: dict[str, float]
    problem: str = ""

    @property
    def worst(self) -> float:
        """What documents are ordered by; one without figures comes before all others."""
        return min(self.figures.values(), default=-1.0)


def found_share(pieces: Iterable[str], text: str) -> float:
    """The share of the letters and digits of `pieces` that stand in `text`, each piece whole or not at all."""
    found = folded(text)
    wanted = [piece for piece in map(folded, pieces) if piece]
    return sum(len(piece) for piece in wanted if piece in found) / max(1, sum(map(len, wanted)))


def text_of(document: Document) -> str:
    """The document's text, a block a line, without what stands for formulas that are images."""
    return "\n".join(block.text for block in document.blocks).replace(NO_FORMULA, "")


def token_precision(document: Document, words: set[str]) -> float:
    """The share of the document's words that the source has as words: one of two words that ran together is none."""
    given = tokens(text_of(document))
    return sum(token in words for token in given) / max(1, len(given))


def front_share(document: Document, article: etree._Element) -> float:
    """The share of the front matter's letters that stand in the document's text, metadata or codes."""
    said = [str(value) for value in document.metadata.values()]
    said += [code.term for code in document.codes] + list(document.identifiers.values())
    return found_share(front_pieces(article), "\n".join([text_of(document), *said]))


def found_cells_share(document: Document, wanted: Counter[str]) -> float:
    """The share of the source's table cells that are cells in the document, each as often as it stands there."""
    tables = [block.table for block in document.blocks if block.table is not None]
    given = Counter(folded(cell.replace(NO_FORMULA, "")) for table in tables for row in table.rows for cell in row)
    return (wanted & given).total() / max(1, wanted.total())


def found_values_share(document: Document, wanted: set[str]) -> float:
    """The share of the numbers of a study's results that stand in cells."""
    tables = [block.table for block in document.blocks if block.table is not None]
    given = {number for table in tables for row in table.rows for cell in row for number in numbers(cell)}
    return len(wanted & given) / max(1, len(wanted))


def body_texts(data: bytes) -> Iterator[str]:
    """The pieces of text of a JATS article's body; what stands there twice by design is skipped. Raises MalformedXml."""
    root = parse_xml(data)
    article = root if root.tag == "article" else root.find(".//article")
    body = article.find("body") if article is not None else None
    return _texts(body) if body is not None else iter(())


def _texts(body: etree._Element) -> Iterator[str]:
    left_out = 0
    for event, element in etree.iterwalk(body, events=("start", "end")):
        is_left_out = isinstance(element.tag, str) and etree.QName(element).localname in _NO_TEXT
        if event == "start":
            left_out += is_left_out
            if not left_out and isinstance(element.tag, str):
                yield element.text or ""
            continue
        left_out -= is_left_out
        if not left_out and element is not body:
            yield element.tail or ""


def study_texts(data: bytes) -> Iterator[str]:
    """The free text of a study: each line of its strings of four words or more, without the escapes of markdown."""
    study = orjson.loads(data)
    for part in ("protocolSection", "resultsSection"):
        for text in _strings(study.get(part) if isinstance(study, dict) else None):
            yield from (line for line in _ESCAPE.sub("", text).splitlines() if len(line.split()) >= _FEWEST_WORDS)


def _strings(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            pending += one.values()
        elif isinstance(one, list):
            pending += one


def reference_text(data: bytes) -> tuple[str, str]:
    """An article's title, abstract and body as one text, and its body alone: what a PDF of it should give."""
    root = parse_xml(data)
    body = _joined(root.find("body"))
    front = [*root.findall("front/article-meta/title-group"), *root.findall("front/article-meta/abstract")]
    return " ".join([*map(_joined, front), body]), body


def _joined(element: etree._Element | None) -> str:
    return "" if element is None else " ".join(_texts(element))


def token_recall(document: Document, reference: str) -> float:
    """The share of the reference's words, each as often as it stands there, that the document has."""
    wanted = Counter(tokens(reference))
    given = Counter(tokens(text_of(document)))
    return sum((wanted & given).values()) / max(1, wanted.total())


def grams_in_order(document: Document, body: str) -> float:
    """The share of the four-word sequences that stand once in the body which the document has in the body's order.

    A sequence may stand in several places of the document, such as its abstract; the place that fits counts. In order is the
    longest common subsequence (Hunt and Szymanski 1977): the longest with rising places, each sequence's later places first.
    """
    wanted = _once(tokens(body))
    given: dict[tuple[str, ...], list[int]] = {}
    for place, gram in enumerate(_grams(tokens(text_of(document)))):
        given.setdefault(gram, []).append(place)
    piles: list[int] = []
    for gram in wanted:
        for place in reversed(given.get(gram, [])):
            pile = bisect_left(piles, place)
            piles[pile : pile + 1] = [place]
    return len(piles) / max(1, len(wanted))


def _grams(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(_GRAM)), strict=False)


def _once(words: Sequence[str]) -> list[tuple[str, ...]]:
    counts = Counter(_grams(words))
    return [gram for gram in _grams(words) if counts[gram] == 1]


_MAX_BYTES = 512 * 1024 * 1024


def of_file(path: Path) -> Completeness:
    """The completeness of a study or an article; a file that cannot be parsed has a problem instead."""
    try:
        data = read_regular(path, _MAX_BYTES)
    except OSError as error:
        return Completeness(path.name, {}, str(error.strerror))
    try:
        document = parse(data, f"file:{path.name}", "file")
    except DocumentError as error:
        return Completeness(path.name, {}, f"{type(error).__name__}: {error}")
    if sniff(data) is Format.JSON:
        return Completeness(path.name, _of_study(data, document))
    return Completeness(path.name, _of_article(data, document))


def _of_study(data: bytes, document: Document) -> dict[str, float]:
    study = orjson.loads(data)
    figures = {STUDY_SHARE: found_share(study_texts(data), text_of(document))}
    if wanted := values_of(study.get("resultsSection") if isinstance(study, dict) else None):
        figures[VALUES_KEPT] = found_values_share(document, wanted)
    return figures


def _of_article(data: bytes, document: Document) -> dict[str, float]:
    root = parse_xml(data)
    article = root if root.tag == "article" else root.find(".//article")
    figures = {BODY_SHARE: found_share(body_texts(data), text_of(document))}
    if article is None:
        return figures
    figures |= {OWN_TOKENS: token_precision(document, words_of(article)), FRONT_SHARE: front_share(document, article)}
    if cells := cells_of(article):
        figures[CELLS_KEPT] = found_cells_share(document, cells)
    return figures


def of_pair(pdf: Path, jats: Path, convert: Callable[[Path], Document]) -> Completeness:
    """The completeness of a PDF, read by `convert`, against its article; one that is not converted has a problem instead."""
    try:
        document = convert(pdf)
        data = jats.read_bytes()
        whole, body = reference_text(data)
        article = parse_xml(data)
    except (DocumentError, ServiceError) as error:
        return Completeness(pdf.name, {}, f"{type(error).__name__}: {error}")
    figures = {
        TOKEN_RECALL: token_recall(document, whole),
        IN_ORDER: grams_in_order(document, body),
        OWN_TOKENS: token_precision(document, words_of(article)),
    }
    if cells := cells_of(article):
        figures[CELLS_KEPT] = found_cells_share(document, cells)
    return Completeness(pdf.name, figures)


class NothingToParse(LabError):
    """There is nothing to measure at {path}: {looked_for}. Give a file, or a folder that has some."""


def files_below(path: Path) -> list[Path]:
    """The studies and articles at `path`: itself, or all `.json`, `.xml` and `.nxml` files below it. Raises NothingToParse."""
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".json", ".xml", ".nxml"))
    if not found:
        raise NothingToParse(path=path, looked_for="no .json, .xml or .nxml file")
    return found


def pairs_below(path: Path) -> list[tuple[Path, Path]]:
    """The PDFs at `path` with their articles: by a table of paths (`PAIRS.tsv`) or by the same name. Raises NothingToParse."""
    table = path if path.suffix == ".tsv" else path / "PAIRS.tsv"
    if table.is_file():
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
        found = [(table.parent / row[0], table.parent / row[1]) for row in rows if len(row) >= 2]
    else:
        articles = {p.stem: p for p in sorted(path.rglob("*")) if p.suffix in (".xml", ".nxml")}
        found = [(pdf, articles[pdf.stem]) for pdf in sorted(path.rglob("*.pdf")) if pdf.stem in articles]
    if not found:
        raise NothingToParse(path=path, looked_for="no PAIRS.tsv, and no PDF beside an article of the same name")
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the documents that have it."""

    median: float
    min: float
    documents: int


@dataclass(frozen=True, slots=True)
class ParsingReport:
    """The documents, worst first, and the median and least of each figure."""

    documents: Sequence[Completeness]
    figures: Mapping[str, Spread]

    def to_json(self) -> Mapping[str, object]:
        """What the command prints."""
        documents = [{"name": one.name, **one.figures, "problem": one.problem or None} for one in self.documents]
        problems = sum(bool(one.problem) for one in self.documents)
        figures = {name: asdict(each) for name, each in self.figures.items()}
        return {"eval": "parsing", "documents": documents, "figures": figures, "problems": problems}


def report(found: Sequence[Completeness]) -> ParsingReport:
    """All that was measured, together."""
    ordered = sorted(found, key=lambda one: (one.worst, one.name))
    names = sorted({name for one in found for name in one.figures})
    values = {name: [one.figures[name] for one in found if name in one.figures] for name in names}
    spreads = {name: Spread(statistics.median(each), min(each), len(each)) for name, each in values.items()}
    return ParsingReport(ordered, spreads)
