"""Accents that a PDF sets as characters of their own, put back on their letters."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from medkg_lab.stages.parse.pdf_ir.hyphens import Pair

COMBINING = {
    "´": "\u0301",
    "`": "\u0300",
    "¨": "\u0308",
    "ˆ": "\u0302",
    "˜": "\u0303",
    "¸": "\u0327",
    "¯": "\u0304",
    "˘": "\u0306",
    "˙": "\u0307",
    "˚": "\u030a",
    "˝": "\u030b",
    "ˇ": "\u030c",
    "˛": "\u0328",
}
"""Spacing accents and what they are on a letter."""

Accents = Sequence[Pair]
"""Words as the letters alone give them, and with their accents: `("Charite", "Charité")`, one for each place."""

_ANY = "".join(COMBINING)
_STRAY = re.compile(rf"(?<!\d)(\s*)[{_ANY}](?:\s*[{_ANY}])*(\s*)")


def with_accent(letter: str, accent: str) -> str:
    """The composed letter; a dotless i is an i. The letter alone when there is no such character."""
    plain = {"ı": "i", "ȷ": "j"}.get(letter, letter)
    made = unicodedata.normalize("NFC", plain + COMBINING[accent])
    return made if len(made) == 1 else letter


def compose(text: str, accents: Accents) -> str:
    """The text of a page with the words of `accents` composed, and the accents that stood apart gone."""
    for (plain, composed), times in Counter(accents).items():
        stray = rf"(?:\s?[{_ANY}]\s?)*"
        pattern = stray.join(map(re.escape, plain))
        text = re.sub(rf"(?<![^\W_]){pattern}(?![^\W_])", composed, text, count=times)
    return _STRAY.sub(lambda found: " " if found[1] or found[2] else "", text)
