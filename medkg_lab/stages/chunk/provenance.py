"""Where chunks stand in their source: every span traced back through its block."""

from collections.abc import Sequence

from medkg_lab.models.documents import Chunk, Document


def places(document: Document, chunks: Sequence[Chunk]) -> list[dict[str, object]]:
    """Per chunk its id, section, page and text, and for each span the source's element, page, box and characters.

    `element` is the source's own path (a JSON path, an XPath, `page/3/block/7`), `bbox` in fractions of the page; `start` and
    `end` count characters of the block's text. A span of a block that the document does not have is skipped.
    """
    return [
        {
            "chunk_id": chunk.chunk_id,
            "kind": chunk.kind,
            "section": list(chunk.section),
            "page": chunk.page,
            "text": chunk.text,
            "places": [
                {
                    "element": (block := document.blocks[span.block]).place.element,
                    "page": block.place.page,
                    "bbox": block.place.bbox and list(block.place.bbox),
                    "block": span.block,
                    "block_kind": block.kind.value,
                    "start": span.start,
                    "end": span.end,
                    "text": block.text[span.start : span.end],
                }
                for span in chunk.spans
                if 0 <= span.block < len(document.blocks)
            ],
        }
        for chunk in chunks
    ]
