"""Text as PDFs give it, mended: letters from mathematical alphabets, ligatures, soft hyphens, and what cannot be read at all."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

_READABLE_SHARE = 0.5
"""Of the characters of a page, how many must be readable for the page to count as giving text."""
_JOINED = frozenset("-\u2010\u00ad")


def _mended_characters() -> dict[int, str]:
    compatible = [*range(0x1D400, 0x1D800), *range(0xFB00, 0xFB07), 0x2126, 0x212B, 0x00B5]
    letters = {code: unicodedata.normalize("NFKC", chr(code)) for code in compatible}
    return letters | {0x00AD: "", 0xFEFF: "", 0x200B: "", 0x0000: ""}


_MENDED = _mended_characters()


def mend(text: str) -> str:
    """`text` on one line: letters of mathematical alphabets and ligatures become plain ones, invisible characters go."""
    return " ".join(text.translate(_MENDED).split())


def inline(spans: Any) -> str:
    """The text of a list of inline spans (text, formula, code, hyperlink), mended; anything else gives an empty string."""
    return mend("".join(_pieces(spans, 0)))


def _pieces(spans: Any, depth: int) -> Iterable[str]:
    if isinstance(spans, str):
        yield spans
    elif isinstance(spans, list) and depth < 4:
        for span in spans:
            if isinstance(span, Mapping):
                yield from _pieces(span.get("content"), depth + 1)


def join(first: str, second: str) -> str:
    """Text that goes on in another column or on the next page; a word cut by a hyphen is made whole."""
    if first[-1:] in _JOINED and first[-2:-1].islower() and second[:1].islower():
        return first[:-1] + second
    return f"{first} {second}"


def readable(text: str) -> bool:
    """Whether at least half of the visible characters are letters, digits or signs that mean something.

    Characters of private use, controls and the replacement character are what a font without a Unicode map gives.
    """
    visible = [character for character in text if not character.isspace()]
    good = sum(character != "\ufffd" and unicodedata.category(character)[0] != "C" for character in visible)
    return bool(visible) and good >= _READABLE_SHARE * len(visible)
