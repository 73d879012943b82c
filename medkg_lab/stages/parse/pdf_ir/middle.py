"""The middle JSON of docvortex and MinerU 4 (schema `docvortex.middle` 2.0), read into the intermediate representation.

`{schema, schema_version, metadata: {document: {title, identifiers, languages, authors}}, pages: [{page_idx, blocks: [{type,
index, bbox, content}]}]}`; `bbox` is in fractions of the page. Headers, footers, page numbers and marginal notes are skipped.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medkg_lab.models.documents import Block, BlockKind, Document, Place, Table
from medkg_lab.stages.parse.errors import UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.accents import Accents, compose
from medkg_lab.stages.parse.pdf_ir.hyphens import Hyphens, Pair
from medkg_lab.stages.parse.pdf_ir.margins import marginal
from medkg_lab.stages.parse.pdf_ir.tables import captioned, continued, read_layout, read_table, table_text
from medkg_lab.stages.parse.pdf_ir.text import BREAK, doubtful_scripts, inline, join, normalize, readable

SCHEMA = ("docvortex.middle", "2.0")
HIDDEN_TEXT = "medkg_hidden_text"
"""The extension under which our converter adds the plain text, by page number, of pages that gave no blocks."""
LINE_ENDS = "medkg_line_ends"
"""The extension with the pairs of word parts, `["double", "blind"]`, between which a hyphen ends a line."""
ACCENTS = "medkg_accents"
"""The extension with words, by page number, whose accents stand apart from their letters: `["Charite", "Charité"]`."""
NOTES = "medkg_notes"
"""The extension with what our converter changed or was not sure of, in words."""
OCR_PAGES = "medkg_ocr_pages"
"""The extension with the numbers of pages whose text was recognised in their images."""
_MARGINS = frozenset({"header", "footer", "page_number", "aside_text"})
_TEXT_ITEMS = frozenset({"text", "ref_text", "list", "index", "doc_title", "paragraph_title"})
_FLOATS = frozenset({BlockKind.CAPTION, BlockKind.TABLE})
_REFERENCES = re.compile(r"(references?( list)?|bibliography|literature cited|works cited)", re.IGNORECASE)
_ABSTRACT = re.compile(r"(abstract|summary)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+(?:\.\d+)*)\.?\s+\S")
_FILE_NAME = re.compile(r"(untitled.*|microsoft word\b.*|.*\.(dvi|docx?|pdf|indd|qxd|tex|rtf))", re.IGNORECASE)
_CONTINUED = re.compile(r"\bcont(inued|\.|'d|d\b)|\(cont", re.IGNORECASE)
_MAX_DEPTH = 8
_NOTHING: Mapping[str, object] = {}


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


def read_middle(middle: Mapping[str, object], source: PdfSource) -> Reading:
    """Read a middle JSON. Raises UnknownPdfIr for another schema or version."""
    found = (middle.get("schema"), middle.get("schema_version"))
    pages = middle.get("pages")
    if found != SCHEMA or not isinstance(pages, list):
        raise UnknownPdfIr(detail=f"it is {found[0]} {found[1]} where {' '.join(SCHEMA)} with its pages is understood")
    declared = _mapping(_mapping(middle.get("metadata")).get("document"))
    return read_pages(pages, source, _mapping(middle.get("extensions")), declared)


def read_pages(
    pages: Sequence[Any],
    source: PdfSource,
    extensions: Mapping[str, object] = _NOTHING,
    declared: Mapping[str, object] = _NOTHING,
) -> Reading:
    """Read the pages of a middle JSON; `extensions` is what our converter adds, `declared` what the PDF says of itself."""
    reader, with_text = _read(pages, extensions, _MARGINS)
    if not reader.blocks:
        # A converter that sees the same words on every page takes them all for running headers.
        reader, with_text = _read(pages, extensions, frozenset())
    reader.join_hyphens(_pairs(extensions.get(LINE_ENDS)))
    reader.warnings += [note for note in _strings(extensions.get(NOTES)) if note not in reader.warnings]
    missing = sorted(set(range(1, source.pages + 1)) - with_text - source.blank_pages)
    document = _document(reader, declared, source)
    if recognised := _strings(extensions.get(OCR_PAGES)):
        document = document.model_copy(update={"metadata": document.metadata | {"ocr_pages": recognised}})
    return Reading(document, tuple(missing))


def _read(
    pages: Sequence[Any], extensions: Mapping[str, object], margins: frozenset[str]
) -> tuple["_Reader", set[int]]:
    hidden, accents = _mapping(extensions.get(HIDDEN_TEXT)), _mapping(extensions.get(ACCENTS))
    passed_over = marginal(pages) if margins else frozenset()
    reader = _Reader(margins)
    with_text: set[int] = set()
    for place, page in enumerate(pages):
        if isinstance(page, Mapping) and isinstance(page.get("page_idx"), int):
            number = page["page_idx"] + 1
            reader.accents = _pairs(accents.get(str(number)))
            silent = frozenset(block for at, block in passed_over if at == place)
            if reader.page(number, page.get("blocks"), silent) or reader.hidden(number, hidden.get(str(number))):
                with_text.add(number)
    return reader, with_text


def _pairs(value: Any) -> tuple[Pair, ...]:
    return tuple(
        (pair[0], pair[1])
        for pair in (value if isinstance(value, list) else ())
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) and part for part in pair)
    )


def _mapping(value: Any) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _document(reader: "_Reader", declared: Mapping[str, object], source: PdfSource) -> Document:
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


def _title(reader: "_Reader", declared: Mapping[str, object], name: str) -> str:
    given = normalize(str(declared.get("title") or ""))
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
    return (
        [text for item in value if isinstance(item, str) and (text := normalize(item))]
        if isinstance(value, list)
        else []
    )


class _Reader:
    """Walks the pages in reading order; keeps the section path and where a paragraph may go on."""

    def __init__(self, margins: frozenset[str]) -> None:
        self._margins = margins
        self.blocks: list[Block] = []
        self.title = ""
        self.odd: set[str] = set()
        self.warnings: list[str] = []
        self.accents: Accents = ()
        self._path: list[tuple[int, str]] = []
        self._doubtful = 0
        self._last_page: dict[int, int | None] = {}

    def page(self, number: int, blocks: Any, silent: frozenset[int] = frozenset()) -> bool:
        """Read one page and say whether it gave readable text; margins count, though they are not part of the document.

        `silent` are the numbers of blocks that belong to the margins although the converter does not say so.
        """
        texts: list[str] = []
        begun = len(self.blocks)
        for position, block in enumerate(blocks if isinstance(blocks, list) else []):
            if isinstance(block, Mapping):
                of_margin = position in silent
                place = _place(block, number, position)
                texts += [self._inline(block.get("content"))] if of_margin else self._block(block, place)
        if self.accents:
            self.blocks[begun:] = [
                _changed(block, lambda text: compose(text, self.accents)) for block in self.blocks[begun:]
            ]
        return readable(" ".join(texts))

    def join_hyphens(self, joined: Sequence[Pair]) -> None:
        """Make cut words whole, now that all of the document's words are known; warn of what is doubtful."""
        hyphens = Hyphens((block.text for block in self.blocks), joined)
        self.blocks = [_changed(block, hyphens.join) for block in self.blocks]
        self.title = hyphens.join(self.title)
        if self._doubtful:
            self.warnings.append(
                f"{self._doubtful} raised numbers after other numbers were read as references: they might be powers"
            )

    def _inline(self, content: Any) -> str:
        self._doubtful += doubtful_scripts(content)
        return inline(content)

    def hidden(self, number: int, text: Any) -> bool:
        """Add a page's hidden text, one paragraph for each run of lines, and say whether it is readable."""
        if not isinstance(text, str) or not readable(text):
            return False
        place = Place(element=f"page/{number}/hidden", page=number)
        for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
            self._add(
                BlockKind.PARAGRAPH, normalize(re.sub(rf"(?<=\w)[-{BREAK}\u00ad]\n(?=\w)", BREAK, paragraph)), place
            )
        self.warnings.append(f"page {number}: only the invisible text behind the page's image was found")
        return True

    @property
    def _section(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._path)

    def _block(self, block: Mapping[str, object], place: Place) -> list[str]:
        match str(block.get("type")):
            case kind if kind in self._margins:
                return [self._inline(block.get("content"))]
            case "doc_title" | "paragraph_title" as kind:
                return self._heading(self._inline(block.get("content")), kind == "doc_title", block.get("level"), place)
            case "text" | "ref_text" | "page_footnote" | "header" | "footer" | "page_number" | "aside_text" as kind:
                return self._paragraph(block, kind == "ref_text", place)
            case "list" | "index":
                return [text for item in _leaves(block, 0) for text in self._item(item, place)]
            case "equation":
                return self._add(BlockKind.FORMULA, normalize(str(block.get("content") or "")), place)
            case "table" | "image" | "chart" | "code":
                return self._visual(block, place)
            case kind:
                self.odd.add(kind[:40])
                return self._add(BlockKind.PARAGRAPH, self._inline(block.get("content")), place)

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

    def _paragraph(self, block: Mapping[str, object], is_reference: bool, place: Place) -> list[str]:
        text = self._inline(block.get("content"))
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

    def _item(self, item: Mapping[str, object], place: Place) -> list[str]:
        reference = item.get("type") == "ref_text" or self._text_kind() is BlockKind.REFERENCE
        return self._add(
            BlockKind.REFERENCE if reference else BlockKind.LIST_ITEM, self._inline(item.get("content")), place
        )

    def _visual(self, block: Mapping[str, object], place: Place) -> list[str]:
        texts: list[str] = []
        parts = block.get("content")
        for part in parts if isinstance(parts, list) else []:
            if not isinstance(part, Mapping):
                continue
            kind, content = str(part.get("type")), part.get("content")
            if kind.endswith("_caption"):
                texts += self._add(BlockKind.CAPTION, self._inline(content), _place(part, place.page or 1, 0, place))
            elif kind in ("table_body", "chart_body"):
                texts += self._table(str(content or ""), place)
            elif kind.endswith("_footnote") or kind in ("code_body", "algorithm_body"):
                texts += self._add(BlockKind.PARAGRAPH, self._inline(content), _place(part, place.page or 1, 0, place))
        return texts

    def _table(self, content: str, place: Place) -> list[str]:
        table = read_table(content) if "<t" in content else read_layout(content)
        if table is None:
            text = normalize(re.sub(r"<[^>]*>", " ", content))
            if text:
                self.warnings.append(
                    f"page {place.page}: the columns of a table were not found, its text is a paragraph"
                )
            return self._add(BlockKind.PARAGRAPH, text, place)
        return [text for caption, part in captioned(table) for text in self._captioned(caption, part, place)]

    def _captioned(self, caption: str, table: Table, place: Place) -> list[str]:
        texts = self._add(BlockKind.CAPTION, caption, place)
        if not table.rows:
            return texts
        if (begun := self._begun_table(place)) is not None and (whole := continued(self.blocks[begun].table, table)):
            update = {"table": whole, "text": table_text(whole)}
            self.blocks[begun] = self.blocks[begun].model_copy(update=update)
            del self.blocks[begun + 1 :]
            self._last_page[begun] = place.page
            return [*texts, table_text(table)]
        return [*texts, *self._add(BlockKind.TABLE, table_text(table), place, table)]

    def _begun_table(self, place: Place) -> int | None:
        """The table that may go on here: the last block of the page before, but for a caption that says "continued"."""
        last = len(self.blocks) - 1
        if last > 0 and self.blocks[last].kind is BlockKind.CAPTION and _CONTINUED.search(self.blocks[last].text):
            last -= 1
        before = self.blocks[last] if last >= 0 else None
        if before is None or before.table is None or before.place.page is None or place.page is None:
            return None
        return last if place.page - 1 in (self._last_page.get(last, before.place.page), before.place.page) else None

    def _add(self, kind: BlockKind, text: str, place: Place, table: Table | None = None) -> list[str]:
        if not text:
            return []
        self.blocks.append(Block(kind=kind, text=text, section=self._section, place=place, table=table))
        return [text]


def _changed(block: Block, change: Callable[[str], str]) -> Block:
    """The block with its texts changed, those of its cells as well."""
    if block.table is None:
        text = change(block.text)
        return block if text == block.text else block.model_copy(update={"text": text})
    rows = tuple(tuple(map(change, row)) for row in block.table.rows)
    if rows == block.table.rows:
        return block
    table = block.table.model_copy(update={"rows": rows})
    return block.model_copy(update={"table": table, "text": table_text(table)})


def _leaves(block: Mapping[str, object], depth: int) -> Iterator[Mapping[str, object]]:
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


def _is_item(item: Mapping[str, object]) -> bool:
    return str(item.get("type")) in _TEXT_ITEMS and isinstance(item.get("content"), list)


def _place(block: Mapping[str, object], page: int, position: int, within: Place | None = None) -> Place:
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
