"""The part of a passage that shows why it was found, with the places of the query's words in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medkg_lab.knowledge.analysis import placed_terms, words

WIDTH = 280
"""Characters in a snippet at most."""

Mark = tuple[int, int]
Row = tuple[str, ...]
"""Index terms that stand in a row, one for a single word."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text and the half-open character ranges in it that match; `start` is its place in the whole text."""

    text: str
    start: int
    marks: tuple[Mark, ...]


def snippet(text: str, rows: Iterable[Row], beginnings: Sequence[str] = (), width: int = WIDTH) -> Snippet:
    """The stretch of `text`, `width` characters at most, with the most different `rows`; the first of equals.

    A row matches where its terms stand one behind the other, and each of `beginnings` where a word begins so. Without any match
    it is the beginning of the text.
    """
    found = _without_overlap(matches(text, rows, beginnings))
    before = width // 5
    start, end = _window(text, _best(found, width - before), width, before)
    marks = tuple((s - start, e - start) for (s, e), _ in found if start <= s and e <= end)
    return Snippet(text[start:end], start, marks)


def matches(text: str, rows: Iterable[Row], beginnings: Sequence[str] = ()) -> list[tuple[Mark, Row]]:
    """Where rows, and words with `beginnings`, stand in `text`, by place, the longer first."""
    placed = placed_terms(text)
    by_first: dict[str, list[Row]] = {}
    for row in sorted(set(rows), key=len, reverse=True):
        by_first.setdefault(row[0], []).append(row)
    found = [
        ((start, placed[at + len(row) - 1][1]), row)
        for at, (start, _, term) in enumerate(placed)
        if term in by_first
        for row in by_first[term]
        if len(row) == 1 or tuple(one for _, _, one in placed[at : at + len(row)]) == row
    ]
    if beginnings:
        found += [
            ((word.start, word.end), (begun,))
            for word in words(text)
            for begun in beginnings
            if any(atom.startswith(begun) for atom in word.atoms)
        ]
        found.sort(key=lambda match: match[0])
    return found


def _without_overlap(found: Iterable[tuple[Mark, Row]]) -> list[tuple[Mark, Row]]:
    kept: list[tuple[Mark, Row]] = []
    for mark, row in found:
        if not kept or mark[0] >= kept[-1][0][1]:
            kept.append((mark, row))
    return kept


def _best(found: Sequence[tuple[Mark, Row]], width: int) -> int:
    """Where the first match of the best window begins."""
    best, most, last = 0, 0, 0
    for first, ((start, _), _) in enumerate(found):
        last = max(last, first)
        while last < len(found) and found[last][0][1] - start <= width:
            last += 1
        different = len({row for _, row in found[first:last]})
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
