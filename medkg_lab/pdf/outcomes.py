"""What the modules that read PDFs in processes of their own write down."""

from collections.abc import Mapping
from typing import Any

import msgspec

from medkg_lab.pdf.scans import ReadPage


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion: pages count from 1, `scans` from 0; `middle` is None where it was only inspected."""

    ok: bool = True
    pages: int
    blank_pages: tuple[int, ...]
    tool: str = ""
    tool_version: str = ""
    ocr_advised: bool = False
    middle: dict[str, Any] | None = None
    scans: tuple[int, ...] = ()


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """What OCR read, by page number (from 0)."""

    ok: bool = True
    pages: Mapping[str, ReadPage]


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A class of `medkg_lab.pdf.errors`, and its fields."""

    ok: bool = False
    error: str = ""
    fields: Mapping[str, object] = {}


class Ended(msgspec.Struct):
    """How it ended, whatever it did."""

    ok: bool = False
