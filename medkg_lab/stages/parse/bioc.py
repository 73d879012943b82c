"""A BioC document as a Document: its passages with their sections, from XML or JSON. Annotations are not taken over.

Passages of PubMed Central say by their infons what they are: https://www.ncbi.nlm.nih.gov/research/bionlp/APIs/BioC-PMC/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.sources import bioc
from medkg_lab.stages.parse.builder import Builder, Section
from medkg_lab.stages.parse.errors import NotAnArticle
from medkg_lab.stages.parse.xml import Element, child, children

_TABLE_CELLS = "\t"
_KINDS = {
    "abstract": BlockKind.ABSTRACT,
    "list": BlockKind.LIST_ITEM,
    "ref": BlockKind.REFERENCE,
    "footnote": BlockKind.PARAGRAPH,
    "table_caption": BlockKind.CAPTION,
    "table_footnote": BlockKind.CAPTION,
    "fig_caption": BlockKind.CAPTION,
    "fig_title_caption": BlockKind.CAPTION,
    "table_title_caption": BlockKind.CAPTION,
}
_SECTIONS = {
    "ABSTRACT": "Abstract",
    "INTRO": "Introduction",
    "METHODS": "Methods",
    "RESULTS": "Results",
    "DISCUSS": "Discussion",
    "CONCL": "Conclusions",
    "CASE": "Case report",
    "SUPPL": "Supplement",
    "ACK_FUND": "Acknowledgements and funding",
    "AUTH_CONT": "Author contributions",
    "COMP_INT": "Competing interests",
    "ABBR": "Abbreviations",
    "APPENDIX": "Appendix",
    "FIG": "Figures",
    "TABLE": "Tables",
    "REF": "References",
    "REVIEW_INFO": "Review",
}


@dataclass(frozen=True, slots=True)
class _Passage:
    infons: Mapping[str, str]
    text: str
    place: str


def read_bioc_xml(root: Element, doc_id: str, source: str) -> Document:
    """Read the one document of a collection. Raises NotAnArticle and EmptyDocument."""
    documents = children(root, "document")
    if len(documents) != 1:
        raise NotAnArticle(detail=f"it is a collection of {len(documents)} documents, which `medkg-lab submit` splits")
    document = documents[0]
    passages = [
        _Passage(_infons(passage), _text_of(passage), f"/collection/document/passage[{number}]")
        for number, passage in enumerate(children(document, "passage"), 1)
    ]
    return _read(passages, _infons(document), _text(document, "id"), _text(root, "source"), doc_id, source)


def read_bioc_json(value: Any, doc_id: str, source: str) -> Document:
    """Read the one document of a collection. Raises NotAnArticle and EmptyDocument."""
    documents = [one for each in bioc.collections(value) or () for one in each["documents"] if bioc.is_document(one)]
    if len(documents) != 1:
        raise NotAnArticle(detail=f"it holds {len(documents)} BioC documents, which `medkg-lab submit` splits")
    document = documents[0]
    passages = [
        _Passage(_strings(one.get("infons")), _json_text(one), f"documents[0].passages[{number}]")
        for number, one in enumerate(document["passages"])
        if isinstance(one, dict)
    ]
    collection = value[0] if isinstance(value, list) else value
    given = str(collection.get("source") or "") if isinstance(collection, dict) else ""
    return _read(passages, _strings(document.get("infons")), str(document.get("id") or ""), given, doc_id, source)


def _read(
    passages: list[_Passage], infons: Mapping[str, str], number: str, collection: str, doc_id: str, source: str
) -> Document:
    made = Builder("BioC document")
    first = {**infons, **(passages[0].infons if passages else {})}
    made.identifiers = bioc.identifiers(number, collection, first)
    made.put("journal", first.get("journal", "").partition(". 1")[0].partition(". 2")[0])
    made.put("volume", first.get("volume", ""))
    made.put("issue", first.get("issue", ""))
    if (year := first.get("year", "")).isdecimal():
        made.metadata["year"] = int(year)
    made.put("authors", _authors(first))
    for word in first.get("kwd", "").split("\n"):
        made.keyword(word, passages[0].place if passages else "")
    outline: list[str] = []
    for passage in passages:
        _add(made, passage, outline)
    return made.document(doc_id, source)


def _add(made: Builder, passage: _Passage, outline: list[str]) -> None:
    """Add one passage; `outline` are the titles that it stands under."""
    kind = passage.infons.get("type", "").lower()
    top = passage.infons.get("section_type", passage.infons.get("section", "")).upper()
    if not made.title and (top == "TITLE" or kind in ("title", "front") or passage.infons.get("section") == "Title"):
        made.add_title(passage.text, passage.place)
        return
    if kind.startswith("title") or kind.endswith("_title"):
        level = int(kind.rpartition("_")[2]) if kind.rpartition("_")[2].isdecimal() else 1
        del outline[max(level - 1, 0) :]
        outline.append(passage.text)
        made.heading(_section(top, outline), passage.place)
        return
    section = _section(top or ("ABSTRACT" if kind.startswith("abstract") else ""), outline)
    if kind == "table" and _TABLE_CELLS in passage.text:
        rows = [tuple(line.split(_TABLE_CELLS)) for line in passage.text.splitlines()]
        made.add_table(rows, 0, section, passage.place)
        return
    made.heading(section, passage.place)
    found = BlockKind.ABSTRACT if top == "ABSTRACT" else _KINDS.get(kind, BlockKind.PARAGRAPH)
    made.add(found, passage.text, section, passage.place)


def _section(top: str, outline: list[str]) -> Section:
    name = _SECTIONS.get(top)
    if name in ("Figures", "Tables", "References") or (name and not outline):
        return (str(name),)
    return tuple(filter(None, outline)) or ((name,) if name else ())


def _authors(infons: Mapping[str, str]) -> list[str]:
    """Authors as PMC writes them (`name_0: surname:Li;given-names:Xi`), or as PubTator does, in one line."""
    numbered = sorted(
        (key for key in infons if key.startswith("name_") and key[5:].isdecimal()), key=lambda key: int(key[5:])
    )
    names = []
    for key in numbered:
        parts = dict(part.partition(":")[::2] for part in infons[key].split(";"))
        names.append(" ".join(filter(None, (parts.get("given-names"), parts.get("surname")))) or infons[key])
    return names or [name.strip() for name in infons.get("authors", "").split(",") if name.strip()]


def _infons(element: Element) -> dict[str, str]:
    return {item.get("key") or "": "".join(map(str, item.itertext())).strip() for item in children(element, "infon")}


def _strings(value: Any) -> dict[str, str]:
    given = value if isinstance(value, dict) else {}
    return {str(key): str(one) for key, one in given.items() if isinstance(one, str | int | float)}


def _text(element: Element, name: str) -> str:
    found = child(element, name)
    return (found.text or "").strip() if found is not None else ""


def _text_of(passage: Element) -> str:
    """A passage's own text, or that of its sentences."""
    return _text(passage, "text") or " ".join(_text(one, "text") for one in children(passage, "sentence"))


def _json_text(passage: Mapping[str, Any]) -> str:
    sentences: Iterable[Any] = passage.get("sentences") or ()
    text = passage.get("text")
    return str(text) if text else " ".join(str(one.get("text") or "") for one in sentences if isinstance(one, dict))
