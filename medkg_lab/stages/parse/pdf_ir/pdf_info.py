"""MinerU's `*_middle.json` up to 3.x (`pdf_info`) and in the draft of 4.0 (`pages`): lines of spans, boxes in points."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medkg_lab.stages.parse.errors import UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.checks import page_number, scaled
from medkg_lab.stages.parse.pdf_ir.content_list import Page, formula
from medkg_lab.stages.parse.pdf_ir.formats import PAGE_KEYS
from medkg_lab.stages.parse.pdf_ir.text import inline, join

_VISUALS = frozenset({"image", "table", "chart", "code"})
_KINDS = {"title": "paragraph_title", "discarded": "aside_text", "phonetic": "text", "abandon": "aside_text"}
_MAX_DEPTH = 6
_PAGE_NAME = re.compile(r"page_\d{1,6}")


def pages_of(middle: Mapping[str, object]) -> list[Page]:
    """The file's pages as pages of middle JSON. Raises UnknownPdfIr where a page breaks the format."""
    return [_page(page, place) for place, page in enumerate(raw_pages(middle))]


def raw_pages(middle: Mapping[str, object]) -> list[Any]:
    """The pages as the file has them, in order; those of an object by the numbers in their names."""
    found: Any = next((middle[key] for key in (*PAGE_KEYS, "pages") if isinstance(middle.get(key), list | dict)), [])
    if isinstance(found, list):
        return found
    if isinstance(nested := found.get("pdf_info"), list | dict):
        return raw_pages({"pdf_info": nested})
    numbered = [(int(name.removeprefix("page_")), page) for name, page in found.items() if _PAGE_NAME.fullmatch(name)]
    return [page for _, page in sorted(numbered, key=lambda one: one[0])]


def _page(page: Any, place: int) -> Page:
    if not isinstance(page, dict):
        raise UnknownPdfIr(detail=f"page {place + 1} is a {type(page).__name__}")
    number = page_number(page.get("page_idx", place), f"page {place + 1}")
    if "para_blocks" not in page and "preproc_blocks" not in page and isinstance(page.get("blocks"), list):
        return {"page_idx": number, "blocks": [block for block in page["blocks"] if isinstance(block, dict)]}
    width, height = _size(page.get("page_size"))
    blocks = [*_list(page.get("para_blocks") or page.get("preproc_blocks")), *_list(page.get("discarded_blocks"))]
    made = [
        {**_block(block, 0), "index": index, "bbox": scaled(block.get("bbox"), width, height)}
        for index, block in enumerate(blocks)
        if isinstance(block, dict)
    ]
    return {"page_idx": number, "blocks": made}


def _size(value: Any) -> tuple[float, float]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(side, int | float) for side in value):
        return float(value[0]), float(value[1])
    return 0.0, 0.0


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _block(block: Mapping[str, object], depth: int) -> dict[str, object]:
    kind = str(block.get("type"))
    if kind in _VISUALS:
        return {"type": "table" if kind == "table" else "image", "content": list(_parts(block, depth))}
    if kind == "interline_equation":
        return {"type": "equation", "content": formula(_text(block))}
    if kind in ("list", "index"):
        leaf = "ref_text" if block.get("sub_type") == "ref_text" else "text"
        return {
            "type": "list",
            "content": [{"type": leaf, "content": [{"content": text}]} for text in _items(block, depth)],
        }
    return {"type": _KINDS.get(kind, kind), "level": block.get("level"), "content": _text(block)}


def _parts(block: Mapping[str, object], depth: int) -> Iterator[dict[str, object]]:
    """The parts of a float: captions, the body as HTML or text, footnotes."""
    for part in _list(block.get("blocks")) if depth < _MAX_DEPTH else ():
        if not isinstance(part, dict):
            continue
        kind = str(part.get("type"))
        if kind == "table_body" and (html := "".join(_html(part))):
            yield {"type": kind, "content": html}
        elif kind == "table_body":
            yield {"type": "code_body", "content": _text(part)}
        else:
            yield {"type": kind, "content": _text(part)}


def _html(part: Mapping[str, object]) -> Iterator[str]:
    for line in _list(part.get("lines")):
        for span in _list(line.get("spans") if isinstance(line, dict) else None):
            if isinstance(span, dict) and isinstance(span.get("html"), str):
                yield span["html"]


def _items(block: Mapping[str, object], depth: int) -> list[str]:
    """A list's items: its blocks in newer versions; else its lines, cut where one is marked as an item's first or last."""
    if nested := _list(block.get("blocks")):
        return [
            text
            for one in nested
            if isinstance(one, dict) and depth < _MAX_DEPTH
            for text in (_items(one, depth + 1) if _list(one.get("blocks")) else [_text(one)])
        ]
    items: list[str] = []
    fresh = True
    for line in _list(block.get("lines")):
        if not isinstance(line, dict):
            continue
        text = _line(line)
        if fresh or line.get("is_list_start_line") is True:
            items.append(text)
        else:
            items[-1] = join(items[-1], text)
        fresh = line.get("is_list_end_line") is True
    return items


def _text(block: Mapping[str, object]) -> str:
    """The text of a block's lines; a word that a hyphen cuts at a line's end is made whole later."""
    text = ""
    for line in _list(block.get("lines")):
        if isinstance(line, dict) and (more := _line(line)):
            text = join(text, more) if text else more
    return text


def _line(line: Mapping[str, object]) -> str:
    """A line's spans with spaces between them, raised ones close to the word before."""
    spaced: list[Any] = []
    for span in _list(line.get("spans")):
        spaced += [{"content": " "}, span] if spaced else [span]
    return inline(spaced)
