"""Text as PDFs give it, repaired: letters from mathematical alphabets, ligatures, accents, scripts, and what cannot be read."""

import re
import unicodedata
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from medkg_lab.stages.parse.latex import with_formulas
from medkg_lab.stages.parse.scripts import is_doubtful, subscript, superscript, with_brackets

BREAK = "\ufffe"
"""Stands where a hyphen ended a line; PDFium writes the same. Whether the hyphen belongs to the word is decided at the end."""
_READABLE_SHARE = 0.5
"""Of the characters of a page, how many must be readable for the page to count as giving text."""
_HYPHENS = frozenset("-\u2010")
_MAX_DEPTH = 4
_LATEX = re.compile(r"[\\^_{}]")


def _mended_characters() -> dict[int, str]:
    compatible = [*range(0x1D400, 0x1D800), *range(0xFB00, 0xFB07), 0x2126, 0x212B, 0x00B5]
    letters = {code: unicodedata.normalize("NFKC", chr(code)) for code in compatible}
    return letters | {0x00AD: "", 0xFEFF: "", 0x200B: "", 0x0000: ""}


_MENDED = _mended_characters()


def normalize(text: str) -> str:
    """`text` on one line: letters of mathematical alphabets and ligatures become plain, accents composed, invisible ones go."""
    return unicodedata.normalize("NFC", " ".join(text.translate(_MENDED).split()))


def inline(spans: Any) -> str:
    """The text of a list of inline spans (text, formula, code, hyperlink), fixed; anything else gives an empty string.

    Spans in the styles `superscript` and `subscript` become powers, marks and the like (`medkg_lab.stages.parse.scripts`).
    """
    return normalize(with_brackets(with_formulas(_line(spans, "", 0))))


def _line(spans: Any, before: str, depth: int) -> str:
    if isinstance(spans, str):
        return spans
    made = ""
    for span in spans if isinstance(spans, list) and depth < _MAX_DEPTH else ():
        if not isinstance(span, Mapping):
            continue
        text = _line(span.get("content"), before + made, depth + 1)
        match _script(span):
            case "superscript":
                text = superscript(before + made, with_brackets(text).translate(_MENDED))
            case "subscript":
                text = subscript(before + made, with_brackets(text).translate(_MENDED))
            case "equation" if _LATEX.search(text):
                text = f"${text.strip().strip('$')}$"
        made += text
    return made


def _script(span: Mapping[str, object]) -> str:
    styles = span.get("styles")
    named = styles if isinstance(styles, list) else ()
    kind = next((style for style in ("superscript", "subscript") if style in named), "")
    return kind or ("equation" if "equation" in str(span.get("type")) else "")


def doubtful_scripts(spans: Any) -> int:
    """How many raised numbers of a list of spans might be powers or references."""
    pairs = pairwise(spans) if isinstance(spans, list) else ()
    return sum(
        is_doubtful(str(one.get("content")), str(two.get("content")))
        for one, two in pairs
        if isinstance(one, Mapping) and isinstance(two, Mapping) and _script(two) == "superscript"
    )


def join(first: str, second: str) -> str:
    """Text that goes on in another column, line or page; BREAK stands where a hyphen cut a word."""
    if first[-1:] in _HYPHENS and first[-2:-1].isalnum() and second[:1].isalnum():
        return first[:-1] + BREAK + second
    return f"{first} {second}"


def readable(text: str) -> bool:
    """Whether at least half of the visible characters are letters, digits or signs that mean something.

    Characters of private use, controls and the replacement character are what a font without a Unicode map gives.
    """
    visible = [character for character in text if not character.isspace()]
    good = sum(character != "\ufffd" and unicodedata.category(character)[0] != "C" for character in visible)
    return bool(visible) and good >= _READABLE_SHARE * len(visible)
