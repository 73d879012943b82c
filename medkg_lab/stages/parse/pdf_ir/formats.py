"""Which converter's shape a JSON value has, told by its structure: none of MinerU's older files names its own format."""

from enum import StrEnum
from typing import Any

PAGE_KEYS = ("pdf_info", "pdf_info_dict", "pdf_mid_data")
"""Under which of them MinerU's middle JSON has its pages: a list, or in the first versions an object of `page_0`, `page_1` …"""
_PAGE_SIGNS = frozenset({"page_idx", "para_blocks", "preproc_blocks", "blocks"})


class ConverterFormat(StrEnum):
    """The shapes that are read; the value names the converter that writes it."""

    MIDDLE = "docvortex.middle"
    PDF_INFO = "mineru-middle"
    CONTENT_LIST = "mineru-content-list"
    CONTENT_LIST_V2 = "mineru-content-list-v2"


def shape_of(value: Any) -> ConverterFormat | None:
    """The shape of a JSON value, or None when no converter writes such a value.

    Only the outside is looked at; what is wrong inside is for the reader of that shape to say.
    """
    if isinstance(value, dict):
        if str(value.get("schema", "")).startswith("docvortex."):
            return ConverterFormat.MIDDLE
        named = any(isinstance(value.get(key), list | dict) and value[key] for key in PAGE_KEYS)
        return ConverterFormat.PDF_INFO if named or _is_draft(value) else None
    if not isinstance(value, list) or not value:
        return None
    if all(map(_is_item, value)):
        return ConverterFormat.CONTENT_LIST
    blocks = [block for page in value if isinstance(page, list) for block in page]
    is_pages = all(isinstance(page, list) for page in value) and bool(blocks)
    return ConverterFormat.CONTENT_LIST_V2 if is_pages and all(map(_is_block, blocks)) else None


def _is_draft(value: dict[str, object]) -> bool:
    """The 4.0 draft: `pages` for `pdf_info`, and a version but no schema, or pages of blocks."""
    pages = value.get("pages")
    if not isinstance(pages, list) or not pages or "studies" in value:
        return False
    return "schema_version" in value or all(isinstance(page, dict) and _PAGE_SIGNS & page.keys() for page in pages)


def _is_item(item: Any) -> bool:
    return _is_block(item) and "page_idx" in item


def _is_block(block: Any) -> bool:
    return isinstance(block, dict) and isinstance(block.get("type"), str)
