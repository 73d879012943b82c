"""Finding terms in text: Aho-Corasick, whole words, the longest of overlapping matches."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import ahocorasick

from medkg_lab.stages.extract.folding import fold, is_symbol, normalise

_SHORTEST = 2
_SHORT_WORD = 5
_VOWELS = frozenset("aeiou ")
_SINGULAR_IN_S = ("ss", "us", "is")


class Match(NamedTuple):
    """A term in a text: the half-open range of its characters, and the node it names."""

    start: int
    end: int
    node_id: str


class Dictionary:
    """Terms and the nodes that they name; the first node that claims a term keeps it.

    Singular and plural count as the same. A term that is an abbreviation in capitals matches in these capitals only.
    """

    def __init__(self, terms: Iterable[tuple[str, str]]) -> None:
        self._automaton = ahocorasick.Automaton()
        known: dict[str, tuple[int, str, str | None]] = {}
        others: list[tuple[str, str, str | None]] = []
        for term, node_id in terms:
            folded = normalise(term)
            if len(folded) >= _SHORTEST:
                exact = term if is_symbol(term) else None
                first, *rest = numbers(folded) if exact is None else (folded, f"{folded}s")
                known.setdefault(first, (len(first), node_id, exact))
                others += ((form, node_id, exact) for form in rest)
        # A term as it is written names its node, before another term's singular or plural does: "alcohol" is not "Alcohols".
        for form, node_id, exact in others:
            known.setdefault(form, (len(form), node_id, exact))
        for form, value in known.items():
            self._automaton.add_word(form, value)
        self._empty = not known
        if known:
            self._automaton.make_automaton()

    def find(self, text: str, folded: str | None = None) -> list[Match]:
        """The matches in `text` in order, none overlapping another; `folded` saves folding a text twice."""
        chosen: list[Match] = []
        reached = 0
        for match in sorted(self._candidates(text, fold(text) if folded is None else folded), key=_longest_first):
            if match.start >= reached:
                chosen.append(match)
                reached = match.end
        return chosen

    def _candidates(self, text: str, folded: str) -> Iterator[Match]:
        """Whole-word matches, overlapping ones too."""
        if self._empty:
            return
        followed = folded + " "
        # Most that is found ends within a word.
        ending = [(last + 1, found) for last, found in self._automaton.iter(folded) if not followed[last + 1].isalnum()]
        for end, (length, node_id, exact) in ending:
            start = end - length
            if start and folded[start - 1].isalnum():
                continue
            # The plural of an abbreviation ends in a small s: `TBS` is not two of `TB`.
            if exact is None or (text.startswith(exact, start) and (length == len(exact) or text[end - 1] == "s")):
                yield Match(start, end, node_id)


def _longest_first(match: Match) -> tuple[int, int]:
    return match.start, -match.end


def numbers(folded: str) -> tuple[str, ...]:
    """A folded term in singular and plural, itself first, as far as English rules go for its last word.

    An s that is a letter of a name is not a plural's: `protein s`, `complement c1s`.
    """
    last = folded.rpartition(" ")[2]
    if not folded[-1].isalpha() or (last != folded and (len(last) == 1 or not last.isalpha()) and last.endswith("s")):
        return (folded,)
    if folded.endswith("ies") and len(folded) > _SHORT_WORD:
        return folded, f"{folded[:-3]}y"
    if folded.endswith("y") and folded[-2:-1] not in _VOWELS:
        return folded, f"{folded[:-1]}ies"
    if not folded.endswith("s"):
        return folded, f"{folded}s"
    return (folded,) if folded.endswith(_SINGULAR_IN_S) or len(folded) <= _SHORT_WORD else (folded, folded[:-1])
