"""The part of a passage that shows why it was found, with the places of the query's words in it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

WIDTH = 280
"""Characters in a snippet at most."""
_WORD = re.compile(r"[^\W_]+")
# Words without meaning of their own: marking them would hide the words that matter.
_FUNCTION_WORDS = frozenset(
    (
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "has",
        "have",
        "in",
        "is",
        "it",
        "its",
        "not",
        "of",
        "on",
        "or",
        "than",
        "that",
        "the",
        "this",
        "to",
        "was",
        "were",
        "which",
        "with",
    )
)

Mark = tuple[int, int]


@dataclass(frozen=True)
class Snippet:
    """A piece of text and the half-open character ranges in it that match; `start` is its place in the whole text."""

    text: str
    start: int
    marks: tuple[Mark, ...]


def words(text: str, most: int) -> list[str]:
    """The words of a query in lower case, at most `most`: nothing of a query language is left in them."""
    return [match.group().lower() for match, _ in zip(_WORD.finditer(text), range(most), strict=False)]


def telling(terms: Sequence[str]) -> list[str]:
    """Those of `terms` that mean something of their own."""
    return [term for term in terms if term not in _FUNCTION_WORDS]


def snippet(text: str, query: Sequence[str], stem: Callable[[str], str], width: int = WIDTH) -> Snippet:
    """The stretch of `text`, `width` characters at most, with the most different words of `query`; the first of equals.

    A word matches when its stem is the stem of a query word. Without any match it is the beginning of the text.
    """
    wanted = {stem(word) for word in telling(query)}
    found = [(mark, stemmed) for mark, stemmed in _stemmed(text, stem) if stemmed in wanted]
    before = width // 5
    start, end = _window(text, _best(found, width - before), width, before)
    marks = tuple((s - start, e - start) for (s, e), _ in found if start <= s and e <= end)
    return Snippet(text[start:end], start, marks)


def _stemmed(text: str, stem: Callable[[str], str]) -> Iterator[tuple[Mark, str]]:
    for match in _WORD.finditer(text):
        yield match.span(), stem(match.group().lower())


def _best(found: Sequence[tuple[Mark, str]], width: int) -> int:
    """Where the first match of the best window begins."""
    best, most, last = 0, 0, 0
    for first, ((start, _), _) in enumerate(found):
        last = max(last, first)
        while last < len(found) and found[last][0][1] - start <= width:
            last += 1
        different = len({stemmed for _, stemmed in found[first:last]})
        if different > most:
            best, most = start, different
    return best


def _window(text: str, anchor: int, width: int, before: int) -> Mark:
    """A range of at most `width` characters that begins at most `before` characters ahead of `anchor` and cuts no word."""
    start = max(0, min(anchor - before, len(text) - width))
    end = min(len(text), start + width)
    while 0 < start < anchor and text[start - 1].isalnum():
        start += 1
    while anchor < end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end -= 1
    return start, end
