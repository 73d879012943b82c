"""A TEI article as GROBID writes it (https://grobid.readthedocs.io/en/latest/TEI-encoding-of-results/) as a Document."""

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.sources import tei
from medkg_lab.stages.parse.builder import Builder, Section
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.text import squeeze
from medkg_lab.stages.parse.xml import Element, child, children, descend, local_name

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MIN_YEAR_DIGITS = 4


def read_tei(root: Element, doc_id: str, source: str) -> Document:
    """Read one article. Raises EmptyDocument when there is no text."""
    made, paths = Builder("TEI article"), Paths()
    header, text = child(root, "teiHeader"), child(root, "text")
    if header is not None:
        _read_header(made, header, paths)
    made.identifiers = tei.identifiers(root)
    made.language = ((text.get(_LANG) if text is not None else "") or "en").strip().lower() or "en"
    for part in text if text is not None else ():
        if local_name(part) in ("body", "back", "front"):
            _read_division(made, part, (), paths)
    return made.document(doc_id, source)


def _read_header(made: Builder, header: Element, paths: Paths) -> None:
    title = descend(header, "fileDesc", "titleStmt", "title")
    if title is not None:
        made.add_title(_text(title), paths.of(title))
    origin = descend(header, "fileDesc", "sourceDesc", "biblStruct")
    if origin is not None:
        _read_origin(made, origin)
    profile = child(header, "profileDesc")
    words = descend(profile, "textClass", "keywords")
    for word in (item for item in words.iter() if local_name(item) == "term") if words is not None else ():
        made.keyword(_text(word), paths.of(word))
    abstract = child(profile, "abstract") if profile is not None else None
    if abstract is not None:
        _read_division(made, abstract, ("Abstract",), paths, BlockKind.ABSTRACT)


def _read_origin(made: Builder, origin: Element) -> None:
    authors = [name for item in origin.iter() if local_name(item) == "author" for name in [_person(item)] if name]
    made.put("authors", authors)
    places = [
        " ".join(_text(one) for one in children(item, "orgName"))
        for item in origin.iter()
        if local_name(item) == "affiliation"
    ]
    made.put("affiliations", list(dict.fromkeys(filter(None, places))))
    monograph = child(origin, "monogr")
    journal = child(monograph, "title") if monograph is not None else None
    if journal is not None:
        made.put("journal", _text(journal))
    imprint = descend(monograph, "imprint")
    for item in imprint if imprint is not None else ():
        if local_name(item) == "biblScope" and item.get("unit") in ("volume", "issue"):
            made.put(str(item.get("unit")), _text(item))
        year = (item.get("when") or _text(item))[:_MIN_YEAR_DIGITS]
        if local_name(item) == "date" and year.isdecimal() and len(year) == _MIN_YEAR_DIGITS:
            made.metadata.setdefault("year", int(year))


def _person(author: Element) -> str:
    name = child(author, "persName")
    parts = children(name, "forename", "surname") if name is not None else []
    return " ".join(_text(part) for part in parts)


def _read_division(
    made: Builder, part: Element, section: Section, paths: Paths, kind: BlockKind = BlockKind.PARAGRAPH
) -> None:
    """Everything below a division, in order; its head opens a section below `section`."""
    for item in part:
        place = paths.of(item)
        match local_name(item):
            case "div":
                head = child(item, "head")
                name = _text(head) if head is not None else ""
                _read_division(made, item, (*section, name) if name else section, paths, kind)
            case "listBibl":
                _read_references(made, item, paths)
            case "head":
                made.heading(section, place)
            case "figure":
                _read_figure(made, item, section, paths)
            case "list":
                for entry in children(item, "item"):
                    made.heading(section, place)
                    made.add(BlockKind.LIST_ITEM, _text(entry), section, paths.of(entry))
            case "formula":
                made.add(BlockKind.FORMULA, _text(item), section, place)
            case "p" | "note" | "s" | "ab":
                made.heading(section, place)
                made.add(kind, _text(item), section, place)


def _read_figure(made: Builder, figure: Element, section: Section, paths: Paths) -> None:
    parts = (child(figure, name) for name in ("head", "label", "figDesc"))
    caption = " ".join(dict.fromkeys(_text(part) for part in parts if part is not None))
    made.add(BlockKind.CAPTION, caption, section, paths.of(figure))
    for table in children(figure, "table"):
        rows = [tuple(_text(cell) for cell in children(row, "cell")) for row in children(table, "row")]
        made.add_table(rows, 0, section, paths.of(table))


def _read_references(made: Builder, listed: Element, paths: Paths) -> None:
    for entry in children(listed, "biblStruct", "bibl"):
        raw = next(
            (item for item in entry.iter() if local_name(item) == "note" and item.get("type") == "raw_reference"), None
        )
        made.heading(("References",), paths.of(entry))
        made.add(BlockKind.REFERENCE, _text(entry if raw is None else raw), ("References",), paths.of(entry))


def _text(element: Element) -> str:
    """The text inside an element: TEI keeps references and emphasis within the line."""
    return squeeze("".join(map(str, element.itertext())))
