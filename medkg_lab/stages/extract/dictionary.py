"""Finding terms in text: Aho-Corasick, whole words, the longest of overlapping matches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ahocorasick

from medkg_lab.stages.extract.folding import fold, is_symbol, normalise

_SHORTEST = 2


@dataclass(frozen=True)
class Match:
    """A term in a text: the half-open range of its characters, and the node it names."""

    start: int
    end: int
    node_id: str


class Dictionary:
    """Terms and the nodes that they name; the first node that claims a term keeps it.

    A plural in `s` counts as its singular. A term that is an abbreviation in capitals matches in these capitals only.
    """

    def __init__(self, terms: Iterable[tuple[str, str]]) -> None:
        self._automaton = ahocorasick.Automaton()
        known: dict[str, tuple[int, str, str | None]] = {}
        for term, node_id in terms:
            folded = normalise(term)
            if len(folded) >= _SHORTEST:
                exact = term if is_symbol(term) else None
                for form in (folded, f"{folded}s") if folded[-1].isalpha() and folded[-1] != "s" else (folded,):
                    known.setdefault(form, (len(form), node_id, exact))
        for form, value in known.items():
            self._automaton.add_word(form, value)
        self._empty = not known
        if known:
            self._automaton.make_automaton()

    def find(self, text: str) -> list[Match]:
        """The matches in `text` in order, none overlapping another."""
        chosen: list[Match] = []
        for match in sorted(self._candidates(text), key=lambda match: (match.start, -match.end)):
            if not chosen or match.start >= chosen[-1].end:
                chosen.append(match)
        return chosen

    def _candidates(self, text: str) -> Iterator[Match]:
        if self._empty:
            return
        folded = fold(text)
        for last, (length, node_id, exact) in self._automaton.iter(folded):
            start, end = last + 1 - length, last + 1
            if _is_word(folded, start, end) and (exact is None or text[start:end].startswith(exact)):
                yield Match(start, end, node_id)


def _is_word(text: str, start: int, end: int) -> bool:
    before = start == 0 or not text[start - 1].isalnum()
    return before and (end == len(text) or not text[end].isalnum())
