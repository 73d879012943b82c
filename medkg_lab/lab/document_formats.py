"""A parsed document in the forms that other programs read: Markdown, BioC, PubTator, and its tables as CSV. All of it is pure."""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medkg_lab.models.documents import Block, BlockKind, Chunk, Document, Extraction, Table

_ESCAPED = str.maketrans({one: f"\\{one}" for one in "\\`*_[]<>&"})
_BEGINNING = re.compile(r"^(\d*)([-+=~#.)])")
_MAX_HEADING = 6


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the stages of one job made of a document; chunks and extraction are missing where its pipeline has no such stage."""

    document: Document
    chunks: tuple[Chunk, ...] = ()
    extraction: Extraction | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """A concept found in a block: the half-open range of characters in the block's text, and the node it is linked to."""

    block: int
    start: int
    end: int
    text: str
    node_id: str
    kind: str


def annotations(parsed: Parsed) -> list[Annotation]:
    """The mentions of a document by block, in their order, each once though passages overlap."""
    if parsed.extraction is None:
        return []
    chunks = {chunk.chunk_id: chunk for chunk in parsed.chunks}
    kinds = {node.node_id: node.kind for node in parsed.extraction.nodes}
    found: set[tuple[int, int, int, str]] = set()
    for mention in parsed.extraction.mentions:
        chunk = chunks.get(mention.chunk_id)
        place = _in_block(parsed.document, chunk, mention.start, mention.text) if chunk is not None else None
        if place is not None:
            block, start = place
            found.add((block, start, start + len(mention.text), mention.node_id))
    blocks = parsed.document.blocks
    return [
        Annotation(block, start, end, blocks[block].text[start:end], node_id, kinds.get(node_id, ""))
        for block, start, end, node_id in sorted(found)
    ]


def _in_block(document: Document, chunk: Chunk, start: int, text: str) -> tuple[int, int] | None:
    """The block, and the offset there, of what stands at `start` in a chunk; None where a passage has text of its own.

    A passage is its spans joined by white space, so the nearest span in which the text stands is the one.
    """
    reached = 0
    for span in chunk.spans:
        own = document.blocks[span.block].text[span.start : span.end]
        at = chunk.text.find(own, reached)
        if at < 0:
            continue
        reached = at + len(own)
        offset = start - at
        if 0 <= offset < len(own) and own.startswith(text, offset):
            return span.block, span.start + offset
    return None


def markdown(parsed: Parsed) -> str:
    """The whole document as Markdown (CommonMark with tables), front matter first as a list."""
    document = parsed.document
    lines = [f"# {_escaped(document.title)}", ""]
    for name, value in {**document.identifiers, **_flat_texts(document.metadata)}.items():
        lines.append(f"- {name}: {_escaped(value)}")
    for warning in document.warnings:
        lines.append(f"- warning: {_escaped(warning)}")
    previous: Block | None = None
    for block in document.blocks:
        if block.kind is BlockKind.TITLE and block.text == document.title:
            continue
        together = previous is not None and previous.kind is block.kind is BlockKind.LIST_ITEM
        lines += [*([] if together else [""]), *_block(block)]
        previous = block
    return "\n".join(lines) + "\n"


def _flat_texts(metadata: Mapping[str, object]) -> dict[str, str]:
    return {
        name: "; ".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in metadata.items()
    }


def _block(block: Block) -> list[str]:
    match block.kind:
        case BlockKind.HEADING:
            return [f"{'#' * min(len(block.section) + 1, _MAX_HEADING)} {_escaped(block.text)}"]
        case BlockKind.LIST_ITEM | BlockKind.REFERENCE:
            return [f"- {_escaped(block.text)}"]
        case BlockKind.TABLE if block.table is not None:
            return _table(block.table)
        case BlockKind.CAPTION:
            return [f"*{_escaped(block.text)}*"]
        case BlockKind.FORMULA:
            return ["```", block.text, "```"]
        case _:
            return [_escaped(block.text)]


def _table(table: Table) -> list[str]:
    width = max(map(len, table.rows))
    rows = [[*row, *[""] * (width - len(row))] for row in table.rows]
    # Markdown's tables have one header row; several are joined, none is an empty one.
    head = [" ".join(filter(None, cells)) for cells in zip(*rows[: table.header_rows], strict=True)] or [""] * width

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    texts = [[_escaped(cell).replace("|", "\\|") for cell in row] for row in (head, *rows[table.header_rows :])]
    return [line(texts[0]), line(["---"] * width), *map(line, texts[1:])]


def _escaped(text: str) -> str:
    """`text` on one line, as itself: neither markup inside nor a heading, list, rule or fence at its beginning."""
    return _BEGINNING.sub(r"\1\\\2", " ".join(text.translate(_ESCAPED).split()))


def as_json(parsed: Parsed) -> str:
    """The whole document as JSON, as the parse stage gives it (`medkg.ir/1`)."""
    return json.dumps(parsed.document.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


def bioc(parsed: Parsed) -> str:
    """The document and its mentions as a BioC collection in JSON: a passage for each block, offsets over the whole text."""
    document = parsed.document
    by_block: dict[int, list[Annotation]] = defaultdict(list)
    for one in annotations(parsed):
        by_block[one.block].append(one)
    passages: list[dict[str, object]] = []
    number = 0
    for index, (offset, block) in enumerate(_offsets(document)):
        marked = []
        for one in by_block[index]:
            marked.append(
                {
                    "id": str(number),
                    "infons": {"identifier": one.node_id, "type": one.kind},
                    "text": one.text,
                    "locations": [{"offset": offset + one.start, "length": one.end - one.start}],
                }
            )
            number += 1
        infons = {"type": block.kind.value, "section": " > ".join(block.section)}
        passages.append(
            {
                "offset": offset,
                "infons": infons,
                "text": block.text,
                "sentences": [],
                "annotations": marked,
                "relations": [],
            }
        )
    infons = {f"article-id_{scheme}": value for scheme, value in document.identifiers.items()}
    one_document = {"id": document.doc_id, "infons": infons, "passages": passages, "annotations": [], "relations": []}
    collection = {"source": document.source, "date": "", "key": "medkg-lab", "infons": {}, "documents": [one_document]}
    return json.dumps(collection, ensure_ascii=False, indent=2) + "\n"


def _offsets(document: Document) -> Iterator[tuple[int, Block]]:
    """Each block with the number of characters before it, one between two blocks."""
    offset = 0
    for block in document.blocks:
        yield offset, block
        offset += len(block.text) + 1


def pubtator(parsed: Parsed) -> str:
    """Title, abstract and their mentions in PubTator's format; the whole text stands for an abstract that is not marked.

    Format: https://www.ncbi.nlm.nih.gov/research/bionlp/APIs/format/ . Offsets count over title, one character, and abstract.
    """
    document = parsed.document
    title = document.title
    number = document.identifiers.get("pmid") or document.doc_id.replace("|", "_")
    chosen = [n for n, block in enumerate(document.blocks) if block.kind is BlockKind.ABSTRACT] or [
        n for n, block in enumerate(document.blocks) if block.kind not in (BlockKind.TITLE, BlockKind.HEADING)
    ]
    begins: dict[int, int] = {
        n: 0 for n, block in enumerate(document.blocks) if block.kind is BlockKind.TITLE and block.text == title
    }
    texts: list[str] = []
    offset = len(title) + 1
    for n in chosen:
        text = document.blocks[n].text.replace("\n", " ")
        begins[n] = offset
        texts.append(text)
        offset += len(text) + 1
    lines = [f"{number}|t|{title}", f"{number}|a|{' '.join(texts)}"]
    for one in annotations(parsed):
        if one.block in begins:
            start = begins[one.block] + one.start
            fields = (number, start, start + len(one.text), one.text.replace("\n", " "), one.kind, one.node_id)
            lines.append("\t".join(map(str, fields)))
    return "\n".join(lines) + "\n\n"


def tables(parsed: Parsed) -> dict[str, str]:
    """Each table as CSV (RFC 4180, UTF-8), by file name."""
    found = [block.table for block in parsed.document.blocks if block.table is not None]
    files: dict[str, str] = {}
    for number, table in enumerate(found, 1):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(table.rows)
        files[f"table-{number}.csv"] = text.getvalue()
    return files


WHOLE: Mapping[str, tuple[str, Callable[[Parsed], str]]] = {
    "md": ("document.md", markdown),
    "json": ("document.json", as_json),
    "bioc": ("document.bioc.json", bioc),
    "pubtator": ("document.pubtator.txt", pubtator),
}
"""File name and writer of each format that is one text."""
FORMATS: Sequence[str] = (*WHOLE, "csv")


def files_of(parsed: Parsed, chosen: str) -> dict[str, str]:
    """A document in the format `chosen`, as files by name."""
    if chosen == "csv":
        return tables(parsed)
    name, write = WHOLE[chosen]
    return {name: write(parsed)}
