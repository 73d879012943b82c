"""MinerU's `*_content_list_v2.json` (2.7 and later): a list of pages, each a list of blocks whose text is a list of spans."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medkg_lab.stages.parse.errors import UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.checks import text_of, thousandths
from medkg_lab.stages.parse.pdf_ir.content_list import Page, formula

_TEXTS = {
    "title": "paragraph_title",
    "paragraph": "text",
    "page_header": "header",
    "page_footer": "footer",
    "page_number": "page_number",
    "page_footnote": "page_footnote",
    "page_aside_text": "aside_text",
}
_TABLES = frozenset({"table", "simple_table", "complex_table"})
_VISUALS = _TABLES | {"image", "chart", "code", "algorithm"}
_MAX_DEPTH = 8


def pages_of(pages: Sequence[Sequence[Mapping[str, object]]]) -> list[Page]:
    """The list as pages of middle JSON. Raises UnknownPdfIr where a block breaks the format."""
    return [
        {"page_idx": number, "blocks": [_placed(*one) for one in enumerate(page)]} for number, page in enumerate(pages)
    ]


def _placed(index: int, block: Mapping[str, object]) -> dict[str, object]:
    content = block.get("content")
    if content is not None and not isinstance(content, dict):
        raise UnknownPdfIr(detail=f"the content of a {str(block['type'])[:40]} is a {type(content).__name__}")
    return {**_block(str(block["type"]), content or {}), "index": index, "bbox": thousandths(block.get("bbox"))}


def _block(kind: str, content: Mapping[str, object]) -> dict[str, object]:
    if kind in _VISUALS:
        return {"type": "table" if kind in _TABLES else "image", "content": list(_parts(content))}
    if kind == "equation_interline":
        return {"type": "equation", "content": formula(text_of(content.get("math_content")))}
    if kind in ("list", "index"):
        leaf = "ref_text" if content.get("list_type") == "reference_list" else "text"
        return {"type": "list", "content": list(_items(content.get("list_items"), leaf, 0))}
    return {"type": _TEXTS.get(kind, kind), "level": content.get("level"), "content": _spans(content)}


def _spans(content: Mapping[str, object]) -> Any:
    """The spans of a block of text, which stand under a key named after the block's type."""
    return next((value for key, value in content.items() if key.endswith("_content")), None)


def _parts(content: Mapping[str, object]) -> Iterator[dict[str, object]]:
    for key, value in content.items():
        if key.endswith("_caption"):
            yield {"type": "image_caption", "content": value}
    if body := text_of(content.get("html")):
        yield {"type": "table_body", "content": body}
    for key, value in content.items():
        if key.endswith("_footnote"):
            yield {"type": "image_footnote", "content": value}
        elif key in ("code_content", "algorithm_content"):
            yield {"type": "code_body", "content": value}


def _items(items: Any, leaf: str, depth: int) -> Iterator[dict[str, object]]:
    """The items of a list, those of the lists within them in their place."""
    for item in items if isinstance(items, list) and depth < _MAX_DEPTH else ():
        if isinstance(item, str):
            yield {"type": leaf, "content": [{"content": item}]}
        elif isinstance(item, dict):
            if isinstance(spans := item.get("item_content"), list):
                yield {"type": leaf, "content": spans}
            yield from _items(item.get("list_items"), leaf, depth + 1)
