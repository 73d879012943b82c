"""What stands on pages besides the text: running headers and footers, and the line numbers of manuscripts."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from medkg_lab.stages.parse.pdf_ir.text import inline

_TOP, _BOTTOM = 0.09, 0.92
"""Fractions of the page above and below which a repeated text is a header or footer."""
_LEFT, _RIGHT = 0.16, 0.88
"""Fractions of the page outside of which line numbers stand."""
_FEWEST_PAGES = 3
_FEWEST_LINES = 4
_NUMBERS = re.compile(r"\d{1,4}(?:\s+\d{1,4})*")
_DIGITS = re.compile(r"\d+")
_LONGEST_HEADER = 250
_TEXTS = frozenset({"text", "paragraph_title", "doc_title", "page_footnote"})

Key = tuple[int, int]
"""Place of a page in the list of pages, and of a block on it."""


def marginal(pages: Sequence[Any]) -> frozenset[Key]:
    """The blocks of text that repeat at the edge of pages, numbers aside, or number the lines of a page."""
    repeated: dict[str, list[Key]] = defaultdict(list)
    numbers: list[Key] = []
    for place, page in enumerate(pages):
        counted: list[tuple[Key, list[int]]] = []
        for key, box, text in _texts(place, page):
            if text and len(text) <= _LONGEST_HEADER and (box[3] <= _TOP or box[1] >= _BOTTOM):
                repeated[_DIGITS.sub("0", text)].append(key)
            if _NUMBERS.fullmatch(text) and (box[2] <= _LEFT or box[0] >= _RIGHT):
                counted.append((key, [int(one) for one in text.split()]))
        values = [value for _, some in counted for value in some]
        if len(values) >= _FEWEST_LINES and _rises(values):
            numbers += [key for key, _ in counted]
    often = [keys for keys in repeated.values() if len({page for page, _ in keys}) >= _FEWEST_PAGES]
    return frozenset([*numbers, *(key for keys in often for key in keys)])


def _rises(values: list[int]) -> bool:
    """Whether the numbers count lines: each is more than the one before, and most by the same step."""
    steps = [after - before for before, after in pairwise(values)]
    usual = max(set(steps), key=steps.count)
    return usual > 0 and steps.count(usual) * 10 >= len(steps) * 7


def _texts(place: int, page: Any) -> Iterator[tuple[Key, list[float], str]]:
    blocks = page.get("blocks") if isinstance(page, Mapping) else None
    for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
        box = block.get("bbox") if isinstance(block, Mapping) else None
        if not isinstance(box, list) or len(box) != 4 or str(block.get("type")) not in _TEXTS:
            continue
        if all(isinstance(edge, int | float) for edge in box):
            yield (place, number), box, inline(block.get("content"))
