"""Where chunks stand in their source: every span traced back through its block."""

from collections.abc import Sequence
from dataclasses import dataclass

from medkg_lab.models.documents import Chunk, Document


@dataclass(frozen=True, slots=True)
class SpanPlace:
    """Where a span stands: `element` is the source's own path (a JSON path, an XPath, `page/3/block/7`), `bbox` in fractions of
    the page; `start` and `end` count characters of the block's text."""

    element: str
    page: int | None
    bbox: Sequence[float] | None
    block: int
    block_kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class TracedChunk:
    """A chunk with the places of its spans."""

    chunk_id: str
    kind: str
    section: Sequence[str]
    page: int | None
    text: str
    places: Sequence[SpanPlace]


def places(document: Document, chunks: Sequence[Chunk]) -> list[TracedChunk]:
    """Each chunk with its places. A span of a block that the document does not have is skipped."""
    return [
        TracedChunk(chunk.chunk_id, chunk.kind, chunk.section, chunk.page, chunk.text, _places(document, chunk))
        for chunk in chunks
    ]


def _places(document: Document, chunk: Chunk) -> list[SpanPlace]:
    found = []
    for span in chunk.spans:
        if 0 <= span.block < len(document.blocks):
            block, (start, end) = document.blocks[span.block], (span.start, span.end)
            place, text = block.place, block.text[start:end]
            found.append(
                SpanPlace(place.element, place.page, place.bbox, span.block, block.kind.value, start, end, text)
            )
    return found
