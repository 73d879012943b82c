"""The middle JSON of docvortex and MinerU 4 (schema `docvortex.middle` 2.0), read into the intermediate representation.

`{schema, schema_version, metadata: {document: {title, identifiers, languages, authors}}, pages: [{page_idx, blocks: [{type,
index, bbox, content}]}]}`; `bbox` is in fractions of the page. Headers, footers, page numbers and marginal notes are left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medkg_lab.models.ir import Block, BlockKind, Document, Place, Table
from medkg_lab.stages.parse.errors import UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.tables import read_table, table_text
from medkg_lab.stages.parse.pdf_ir.text import inline, join, mend, readable

SCHEMA = ("docvortex.middle", "2.0")
HIDDEN_TEXT = "medkg_hidden_text"
"""The extension under which our converter adds the plain text, by page number, of pages that gave no blocks."""
_MARGINS = frozenset({"header", "footer", "page_number", "aside_text"})
_TEXT_ITEMS = frozenset({"text", "ref_text", "list", "index", "doc_title", "paragraph_title"})
_FLOATS = frozenset({BlockKind.CAPTION, BlockKind.TABLE})
_REFERENCES = re.compile(r"(references?( list)?|bibliography|literature cited|works cited)", re.IGNORECASE)
_ABSTRACT = re.compile(r"(abstract|summary)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+(?:\.\d+)*)\.?\s+\S")
_FILE_NAME = re.compile(r"(untitled.*|microsoft word\b.*|.*\.(dvi|docx?|pdf|indd|qxd|tex|rtf))", re.IGNORECASE)
_MAX_DEPTH = 8
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class PdfSource:
    """What is known of the PDF besides its text: ids for the document, the converter, and pages that hold nothing at all."""

    doc_id: str
    name: str
    pages: int
    blank_pages: frozenset[int]
    tool: str
    tool_version: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """The document, and the numbers (from 1) of the pages that should have given text but gave none."""

    document: Document
    missing_pages: tuple[int, ...]


def read_middle(middle: Mapping[str, Any], source: PdfSource) -> Reading:
    """Read a middle JSON. Raises UnknownPdfIr for another schema or version."""
    found = (middle.get("schema"), middle.get("schema_version"))
    pages = middle.get("pages")
    if found != SCHEMA or not isinstance(pages, list):
        raise UnknownPdfIr(detail=f"it is {found[0]} {found[1]} where {' '.join(SCHEMA)} with its pages is understood")
    hidden = _mapping(_mapping(middle.get("extensions")).get(HIDDEN_TEXT))
    return read_pages(pages, source, hidden, _mapping(_mapping(middle.get("metadata")).get("document")))


def read_pages(
    pages: Sequence[Any],
    source: PdfSource,
    hidden: Mapping[str, Any] = _NOTHING,
    declared: Mapping[str, Any] = _NOTHING,
) -> Reading:
    """Read the pages of a middle JSON; `hidden` is text by page number, `declared` what the PDF says of itself."""
    reader, with_text = _read(pages, hidden, _MARGINS)
    if not reader.blocks:
        # A converter that sees the same words on every page takes them all for running headers.
        reader, with_text = _read(pages, hidden, frozenset())
    missing = sorted(set(range(1, source.pages + 1)) - with_text - source.blank_pages)
    return Reading(_document(reader, declared, source), tuple(missing))


def _read(pages: Sequence[Any], hidden: Mapping[str, Any], margins: frozenset[str]) -> tuple["_Reader", set[int]]:
    reader = _Reader(margins)
    with_text: set[int] = set()
    for page in pages:
        if isinstance(page, Mapping) and isinstance(page.get("page_idx"), int):
            number = page["page_idx"] + 1
            if reader.page(number, page.get("blocks")) or reader.hidden(number, hidden.get(str(number))):
                with_text.add(number)
    return reader, with_text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _document(reader: "_Reader", declared: Mapping[str, Any], source: PdfSource) -> Document:
    languages = [
        tag for tag in _strings(declared.get("languages")) if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", tag)
    ]
    metadata: dict[str, str | int | float | bool | list[str]] = {"pages": source.pages, "converter": source.tool}
    metadata["converter_version"] = source.tool_version
    if authors := _strings(declared.get("authors")):
        metadata["authors"] = authors
    return Document(
        doc_id=source.doc_id,
        source=source.doc_id.partition(":")[0],
        title=_title(reader, declared, source.name),
        language=languages[0] if languages else "en",
        identifiers=_identifiers(_strings(declared.get("identifiers"))),
        metadata=metadata,
        blocks=tuple(reader.blocks),
        warnings=(
            *source.warnings,
            *reader.warnings,
            *(f"a block of the unknown type {kind} was read as text" for kind in sorted(reader.odd)),
        ),
    )


def _title(reader: "_Reader", declared: Mapping[str, Any], name: str) -> str:
    given = mend(str(declared.get("title") or ""))
    heading = next((block.text for block in reader.blocks if block.kind is BlockKind.HEADING), "")
    return reader.title or ("" if _FILE_NAME.fullmatch(given) else given) or heading or name


def _identifiers(given: Sequence[str]) -> dict[str, str]:
    pairs = (identifier.partition(":") for identifier in given)
    return {
        scheme.lower(): value.strip()
        for scheme, _, value in pairs
        if scheme.lower() in ("doi", "pmid") and value.strip()
    }


def _strings(value: Any) -> list[str]:
    return [text for item in value if isinstance(item, str) and (text := mend(item))] if isinstance(value, list) else []


class _Reader:
    """Walks the pages in reading order; keeps the section path and where a paragraph may go on."""

    def __init__(self, margins: frozenset[str]) -> None:
        self._margins = margins
        self.blocks: list[Block] = []
        self.title = ""
        self.odd: set[str] = set()
        self.warnings: list[str] = []
        self._path: list[tuple[int, str]] = []

    def page(self, number: int, blocks: Any) -> bool:
        """Read one page and say whether it gave readable text; margins count, though they are left out of the document."""
        texts: list[str] = []
        for position, block in enumerate(blocks if isinstance(blocks, list) else []):
            if isinstance(block, Mapping):
                texts += self._block(block, _place(block, number, position))
        return readable(" ".join(texts))

    def hidden(self, number: int, text: Any) -> bool:
        """Add a page's hidden text, one paragraph for each run of lines, and say whether it is readable."""
        if not isinstance(text, str) or not readable(text):
            return False
        place = Place(element=f"page/{number}/hidden", page=number)
        for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
            self._add(BlockKind.PARAGRAPH, mend(re.sub(r"(?<=[a-z])[-\ufffe\u00ad]\n(?=[a-z])", "", paragraph)), place)
        self.warnings.append(f"page {number}: only the invisible text behind the page's image was found")
        return True

    @property
    def _section(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._path)

    def _block(self, block: Mapping[str, Any], place: Place) -> list[str]:
        match str(block.get("type")):
            case kind if kind in self._margins:
                return [inline(block.get("content"))]
            case "doc_title" | "paragraph_title" as kind:
                return self._heading(inline(block.get("content")), kind == "doc_title", block.get("level"), place)
            case "text" | "ref_text" | "page_footnote" | "header" | "footer" | "page_number" | "aside_text" as kind:
                return self._paragraph(block, kind == "ref_text", place)
            case "list" | "index":
                return [text for item in _leaves(block, 0) for text in self._item(item, place)]
            case "equation":
                return self._add(BlockKind.FORMULA, mend(str(block.get("content") or "")), place)
            case "table" | "image" | "chart" | "code":
                return self._visual(block, place)
            case kind:
                self.odd.add(kind[:40])
                return self._add(BlockKind.PARAGRAPH, inline(block.get("content")), place)

    def _heading(self, text: str, is_title: bool, level: Any, place: Place) -> list[str]:
        if not text:
            return []
        if is_title and not self.title:
            self.title = text
            return self._add(BlockKind.TITLE, text, place)
        depth = 2 if is_title or not isinstance(level, int) else max(2, level)
        if number := _NUMBER.match(text):
            depth = max(depth, 2 + number.group(1).count("."))
        self._path = [(other, title) for other, title in self._path if other < depth] + [(depth, text)]
        return self._add(BlockKind.HEADING, text, place)

    def _paragraph(self, block: Mapping[str, Any], is_reference: bool, place: Place) -> list[str]:
        text = inline(block.get("content"))
        kind = BlockKind.REFERENCE if is_reference else self._text_kind()
        begun = self._begun(kind) if block.get("continues_prev") is True and text else None
        if begun is None:
            return self._add(kind, text, place)
        self.blocks[begun] = self.blocks[begun].model_copy(update={"text": join(self.blocks[begun].text, text)})
        return [text]

    def _begun(self, kind: BlockKind) -> int | None:
        """The block that a continued text goes on from: the last one of its kind and section, with only floats in between."""
        for number in range(len(self.blocks) - 1, -1, -1):
            block = self.blocks[number]
            if block.kind not in _FLOATS:
                return number if block.kind is kind and block.section == self._section else None
        return None

    def _text_kind(self) -> BlockKind:
        current = _NUMBER.sub(lambda match: match.group(0)[-1], self._path[-1][1]) if self._path else ""
        if _REFERENCES.fullmatch(current.strip(" :.")):
            return BlockKind.REFERENCE
        return BlockKind.ABSTRACT if _ABSTRACT.fullmatch(current.strip(" :.")) else BlockKind.PARAGRAPH

    def _item(self, item: Mapping[str, Any], place: Place) -> list[str]:
        reference = item.get("type") == "ref_text" or self._text_kind() is BlockKind.REFERENCE
        return self._add(BlockKind.REFERENCE if reference else BlockKind.LIST_ITEM, inline(item.get("content")), place)

    def _visual(self, block: Mapping[str, Any], place: Place) -> list[str]:
        texts: list[str] = []
        parts = block.get("content")
        for part in parts if isinstance(parts, list) else []:
            if not isinstance(part, Mapping):
                continue
            kind, content = str(part.get("type")), part.get("content")
            if kind.endswith("_caption"):
                texts += self._add(BlockKind.CAPTION, inline(content), _place(part, place.page or 1, 0, place))
            elif kind in ("table_body", "chart_body"):
                texts += self._table(str(content or ""), place)
            elif kind.endswith("_footnote") or kind in ("code_body", "algorithm_body"):
                texts += self._add(BlockKind.PARAGRAPH, inline(content), _place(part, place.page or 1, 0, place))
        return texts

    def _table(self, content: str, place: Place) -> list[str]:
        table = read_table(content) if "<" in content else None
        if table is None:
            return self._add(BlockKind.PARAGRAPH, mend(re.sub(r"<[^>]*>", " ", content)), place)
        return self._add(BlockKind.TABLE, table_text(table), place, table)

    def _add(self, kind: BlockKind, text: str, place: Place, table: Table | None = None) -> list[str]:
        if not text:
            return []
        self.blocks.append(Block(kind=kind, text=text, section=self._section, place=place, table=table))
        return [text]


def _leaves(block: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """The items of a list, those of nested lists in their place; a list may also hold its spans directly."""
    items = block.get("content")
    if not isinstance(items, list) or depth > _MAX_DEPTH:
        return
    nested = [item for item in items if isinstance(item, Mapping) and _is_item(item)]
    if not nested:
        yield {"type": block.get("sub_type") or "text", "content": items}
        return
    for item in nested:
        if str(item.get("type")) in ("list", "index"):
            yield from _leaves(item, depth + 1)
        else:
            yield item


def _is_item(item: Mapping[str, Any]) -> bool:
    return str(item.get("type")) in _TEXT_ITEMS and isinstance(item.get("content"), list)


def _place(block: Mapping[str, Any], page: int, position: int, within: Place | None = None) -> Place:
    index = block.get("index")
    number = index if isinstance(index, int) else position
    if within is not None and not isinstance(index, int):
        return within
    return Place(element=f"page/{page}/block/{number}", page=page, bbox=_bbox(block.get("bbox")))


def _bbox(given: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(given, list) or len(given) != 4 or not all(isinstance(edge, int | float) for edge in given):
        return None
    x0, y0, x1, y1 = (min(1.0, max(0.0, float(edge))) for edge in given)
    return (x0, y0, x1, y1)
