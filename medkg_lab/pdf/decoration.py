"""Pages without text that nobody misses: a cover, or a publisher's advertisement at the end."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

_SCALE = 0.15
"""Of 72 dots an inch: what is enough to see whether a page is colourful."""
_COLOURED = 40
"""How far the channels of a coloured pixel are apart, of 255; scans of text are grey."""
_SHARE_COLOURED = 0.25
_WHOLE_PAGE = 0.8
"""An image that covers more than this share of a page may be a scan of it."""
_FEWEST_PICTURES = 3


def decorative_pages(path: Path, silent: Collection[int], pages: int) -> list[int]:
    """Which of the pages (from 0) that gave no text are a cover or an advertisement: the first or last, and not like a scan."""
    edges = [index for index in sorted({0, pages - 1}) if index in silent]
    if not edges or len(silent) * 2 > pages:
        return []
    with pypdfium2.PdfDocument(path) as document:
        return [index for index in edges if _is_decoration(document, index)]


def _is_decoration(document: pypdfium2.PdfDocument, index: int) -> bool:
    try:
        page = document[index]
        width, height = page.get_size()
        pictures = [item.get_bounds() for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE])]
        largest = max(((x1 - x0) * (y1 - y0) / (width * height) for x0, y0, x1, y1 in pictures), default=0.0)
        if largest <= _WHOLE_PAGE and len(pictures) >= _FEWEST_PICTURES:
            return True
        return bool(pictures) and _coloured(page) >= _SHARE_COLOURED
    except pypdfium2.PdfiumError:
        return False


def _coloured(page: Any) -> float:
    """The share of a page that is coloured."""
    pixels = page.render(scale=_SCALE).to_numpy()[:, :, :3].astype(np.int16)
    return float(np.mean(pixels.max(axis=2) - pixels.min(axis=2) >= _COLOURED))
