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

_LONGEST_KNOWN = 10_000
"""Characters of a paragraph whose sentences are remembered at most."""

_LINE_END = re.compile(r"\n\s*")
_DOUBTFUL = re.compile(
    r"""(?<! al)(?<!\b[A-Z])(?<!\b[Ff]ig)(?<!\b[Ff]igs)(?<!\bEq)(?<!\bRef)(?<!\bvs)(?<!\bcf)(?<!\be\.g)(?<!\bi\.e)
    [.!?]["'”’)\]]*\s+ | \.\s+(?=[A-Z"“])""",
    re.VERBOSE,
)
_SURE = re.compile(
    r"""(?: (?<=[\s(/-]) ([a-z]{3,} | [A-Za-z]++(?:(?<=[A-Z]{2})|(?<=[A-Z]{2}[a-z]))) | [)\]%] | \b\d\d++ )
    [.!?] (?:\s?\[[\d,\s–-]+\])? \s+ (?=[A-Z][a-z]*[\s,:’'-])""",
    re.VERBOSE,
)
_REFERENCE_NUMBERS = re.compile(r"[\d,\s–-]+")
_ENUMERATOR = re.compile(r"\s*\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s+")
_PLAIN = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"“(])")
_OPENING = "([“"
_CLOSING = ")]”"


def split(text: str) -> list[str]:
    """Cut `text` into sentences, each with the whitespace after it: joined they are `text` again."""
    return [sentence for paragraph in _tiles(text, _LINE_END) for sentence in _sentences(paragraph)]


def _sentences(paragraph: str) -> tuple[str, ...]:
    return _known_paragraph(paragraph) if len(paragraph) <= _LONGEST_KNOWN else _paragraph(paragraph)


def _paragraph(text: str) -> tuple[str, ...]:
    pieces: list[str] = []
    start = seen = depth = quotes = 0
    for match in _SURE.finditer(text):
        if (match[1] or "").lower() in _abbreviations():
            continue
        # Brackets and quotation marks are counted on from the last look: from the start of the sentence each time, a bracket
        # that is never closed would have the whole text counted again for every sentence in it.
        depth, quotes = depth + _depth(text, seen, match.end()), quotes + text.count('"', seen, match.end())
        seen = match.end()
        if depth == 0 and quotes % 2 == 0:
            pieces.append(text[start:seen])
            start, quotes = seen, 0
    pieces.append(text[start:])
    return tuple(sentence for piece in pieces if piece for sentence in _piece(piece))


_known_paragraph = lru_cache(maxsize=4096)(_paragraph)


def _without_references(text: str) -> str:
    """A sentence without the numbers of references behind it: `seen before. [12, 13] ` is `seen before.`."""
    kept = text.rstrip()
    opened = kept.rfind("[") if kept.endswith("]") else -1
    if opened < 0 or not _REFERENCE_NUMBERS.fullmatch(kept, opened + 1, len(kept) - 1):
        return kept
    return kept[: opened - kept[:opened][-1:].isspace()]


def _piece(text: str) -> list[str]:
    enumerator = _ENUMERATOR.match(text)
    if not _DOUBTFUL.search(_without_references(text), enumerator.end() if enumerator else 0):
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


def _depth(text: str, start: int, end: int) -> int:
    """How many more brackets a stretch opens than it closes: a sentence within brackets is part of the one around it."""
    opened = sum(text.count(each, start, end) for each in _OPENING)
    return opened - sum(text.count(each, start, end) for each in _CLOSING)


@cache
def _segmenter() -> Segmenter:
    return Segmenter(language="en", clean=False)


@cache
def _abbreviations() -> frozenset[str]:
    return frozenset(Language.get_language_code("en").Abbreviation.ABBREVIATIONS)
