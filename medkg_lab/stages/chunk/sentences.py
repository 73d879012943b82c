"""Sentence boundaries in medical prose: pysbd's rules, asked only where a full stop may mean something else.

pysbd (https://github.com/nipunsadvilkar/pySBD) knows "e.g.", "Fig. 2" and "p. < 0.05", but spends milliseconds on a paragraph.
Most boundaries need no such knowledge: an ordinary lower-case word, a full stop, a space and a capital. Those cut the text first,
and only what still holds a doubtful full stop goes to pysbd.
"""

import re
from functools import cache, lru_cache
from itertools import pairwise

from pysbd import Segmenter
from pysbd.languages import Language

_LONGEST_FOR_RULES = 2000
"""Characters that pysbd is given at most: some of its expressions take quadratic time."""

_DOUBTFUL = re.compile(
    r"""(?<! al)(?<!\b[A-Z])(?<!\b[Ff]ig)(?<!\b[Ff]igs)(?<!\bEq)(?<!\bRef)(?<!\bvs)(?<!\bcf)(?<!\be\.g)(?<!\bi\.e)
    [.!?]["'”’)\]]*\s+ | \.\s+(?=[A-Z"“])""",
    re.VERBOSE,
)
_SURE = re.compile(
    r"""(?: (?<=[\s(/-]) ([a-z]{3,} | [A-Za-z]*[A-Z]{2,}[a-z]?) | [)\]%] | \b\d\d+ )
    [.!?] (?:\s?\[[\d,\s–-]+\])? \s+ (?=[A-Z][a-z]*[\s,:’'-])""",
    re.VERBOSE,
)
_END = re.compile(r"(?:\s?\[[\d,\s–-]+\])?\s*$")
_ENUMERATOR = re.compile(r"\s*\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s+")
_PLAIN = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"“(])")
_OPENING = "([“"
_CLOSING = ")]”"


def split(text: str) -> list[str]:
    """Cut `text` into sentences, each with the whitespace after it: joined they are `text` again."""
    return [sentence for paragraph in _tiles(text, re.compile(r"\n\s*")) for sentence in _paragraph(paragraph)]


@lru_cache(maxsize=4096)
def _paragraph(text: str) -> tuple[str, ...]:
    pieces: list[str] = []
    start = 0
    for match in _SURE.finditer(text):
        if (match[1] or "").lower() not in _abbreviations() and _balanced(text[start : match.end()]):
            pieces.append(text[start : match.end()])
            start = match.end()
    pieces.append(text[start:])
    return tuple(sentence for piece in pieces if piece for sentence in _piece(piece))


def _piece(text: str) -> list[str]:
    enumerator = _ENUMERATOR.match(text)
    if not _DOUBTFUL.search(_END.sub("", text), enumerator.end() if enumerator else 0):
        return [text]
    if len(text) > _LONGEST_FOR_RULES:
        return _tiles(text, _PLAIN)
    return _rejoin(text, _segmenter().segment(text))


def _rejoin(text: str, sentences: list[str]) -> list[str]:
    """Turn pysbd's sentences into tiles of `text`; where it changed the text, into the plain rule's."""
    starts = []
    position = 0
    for sentence in sentences:
        found = text.find(sentence.strip(), position)
        if found < 0:
            return _tiles(text, _PLAIN)
        starts.append(found)
        position = found + len(sentence.strip())
    cuts = [0, *starts[1:], len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def _tiles(text: str, boundary: re.Pattern[str]) -> list[str]:
    cuts = [0, *(match.end() for match in boundary.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def _balanced(text: str) -> bool:
    """Whether every bracket and quotation mark of `text` is closed: a sentence within brackets is part of the one around it."""
    opened = sum(map(text.count, _OPENING))
    return opened == sum(map(text.count, _CLOSING)) and text.count('"') % 2 == 0


@cache
def _segmenter() -> Segmenter:
    return Segmenter(language="en", clean=False)


@cache
def _abbreviations() -> frozenset[str]:
    return frozenset(Language.get_language_code("en").Abbreviation.ABBREVIATIONS)
