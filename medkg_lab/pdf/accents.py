"""Accents set as characters of their own: which letters they stand on, by their places."""

from collections.abc import Sequence

from medkg_lab.pdf.glyphs import Glyph, lines_of
from medkg_lab.stages.parse.pdf_ir.accents import COMBINING, with_accent

_SAME_LINE = 0.5
_ON_TOP = 0.35
"""How far the middles of an accent and its letter may be apart, as a share of the letter's height."""


def detached_accents(glyphs: Sequence[Glyph]) -> list[list[str]]:
    """The words with such accents: as their letters give them, and composed; one entry for each word."""
    accents = [one for one in glyphs if one.text in COMBINING]
    if not accents:
        return []
    rest = [one for one in glyphs if one.text not in COMBINING]
    on: dict[int, str] = {}
    for accent in accents:
        letter = min((one for one in rest if _carries(one, accent)), key=lambda one: _apart(one, accent), default=None)
        if letter is not None and with_accent(letter.text, accent.text) != letter.text:
            on[id(letter)] = with_accent(letter.text, accent.text)
    if not on:
        return []
    found = []
    for line in lines_of(rest):
        for word in line:
            if any(id(one) in on for one in word.glyphs):
                letters = [(one.text, on.get(id(one), one.text)) for one in word.glyphs]
                first = next(place for place, (plain, _) in enumerate(letters) if plain.isalpha())
                last = next(place for place in range(len(letters), 0, -1) if letters[place - 1][0].isalpha())
                pair = ["".join(one[side] for one in letters[first:last]) for side in (0, 1)]
                found.append(pair)
    return found


def _carries(letter: Glyph, accent: Glyph) -> bool:
    if not letter.text.isalpha() or abs(letter.middle - accent.middle) > _SAME_LINE * letter.height:
        return False
    return _apart(letter, accent) <= _ON_TOP * letter.height


def _apart(letter: Glyph, accent: Glyph) -> float:
    return abs((letter.box[0] + letter.box[2]) - (accent.box[0] + accent.box[2])) / 2
