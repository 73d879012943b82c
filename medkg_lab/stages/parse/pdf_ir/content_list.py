"""MinerU's `*_content_list.json`: a flat list of blocks in reading order, each with its page.

Version 0.10 has no `bbox`, captions under `img_caption` and tables without HTML; 2.x and 3.x have a `bbox` in thousandths of the
page, `image_caption`, `table_body`, `discarded` or the kinds of margin by name, and later `list` and `code`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medkg_lab.stages.parse.latex import latex_text
from medkg_lab.stages.parse.pdf_ir.checks import page_number, strings, text_of, thousandths

_SAME = frozenset({"ref_text", "header", "footer", "page_number", "page_footnote", "aside_text", "index"})
_MARGINS = {
    "discarded": "aside_text",
    "page_header": "header",
    "page_footer": "footer",
    "page_aside_text": "aside_text",
}
_PREFIXES = {
    "image": ("img", "image"),
    "table": ("table",),
    "chart": ("chart", "img"),
    "code": ("code",),
    "algorithm": ("code",),
}

Page = dict[str, object]


def pages_of(items: Sequence[Mapping[str, object]]) -> list[Page]:
    """The list as pages of middle JSON. Raises UnknownPdfIr where an entry breaks the format."""
    pages: dict[int, list[dict[str, object]]] = {}
    for place, item in enumerate(items):
        number = page_number(item.get("page_idx"), f"entry {place + 1}")
        pages.setdefault(number, []).append({**_block(item), "index": place, "bbox": thousandths(item.get("bbox"))})
    return [{"page_idx": number, "blocks": pages[number]} for number in sorted(pages)]


def _block(item: Mapping[str, object]) -> dict[str, object]:
    kind = str(item["type"])
    level = item.get("text_level")
    if kind == "title" or (kind == "text" and isinstance(level, int) and level > 0):
        return {"type": "paragraph_title", "level": level, "content": text_of(item.get("text"))}
    if kind in _PREFIXES:
        return {"type": "table" if kind == "table" else "image", "content": list(_parts(kind, item))}
    if kind == "equation":
        return {"type": "equation", "content": formula(text_of(item.get("text")))}
    if kind == "list":
        of_references = item.get("sub_type") == "ref_text"
        leaf = "ref_text" if of_references else "text"
        found = strings(item.get("list_items")) or [text_of(item.get("text"))]
        return {"type": "list", "content": [{"type": leaf, "content": [{"content": text}]} for text in found]}
    return {"type": _MARGINS.get(kind, kind if kind in _SAME else _plain(kind)), "content": text_of(item.get("text"))}


def _plain(kind: str) -> str:
    """Text is text; a kind that nobody knows keeps its name, so that the reader can warn of it."""
    return "text" if kind in ("text", "phonetic") else kind


def _parts(kind: str, item: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
    for prefix in _PREFIXES[kind]:
        yield from ({"type": "image_caption", "content": text} for text in strings(item.get(f"{prefix}_caption")))
    if body := text_of(item.get(f"{_PREFIXES[kind][0]}_body")):
        yield {"type": "table_body" if kind == "table" else "code_body", "content": body}
    for prefix in _PREFIXES[kind]:
        yield from ({"type": "image_footnote", "content": text} for text in strings(item.get(f"{prefix}_footnote")))


def formula(text: str) -> str:
    """A displayed formula as text."""
    return latex_text(text.strip().removeprefix("$$").removesuffix("$$"))
