"""The stage behind the fusion that looks at the best passages once more: its contract, and the rerankers by name.

A reranker is published under the entry-point group `medkg_lab.rerankers` as a class without arguments. None is on unless
`search.reranker` of the settings or the query names one.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, cast

from medkg_lab import plugins
from medkg_lab.knowledge.analysis import terms
from medkg_lab.knowledge.errors import BrokenReranker, UnknownReranker
from medkg_lab.knowledge.snippet import matches
from medkg_lab.knowledge.units import units

GROUP = "medkg_lab.rerankers"


class Reranker(Protocol):
    """Judges passages for a query; safe to use from several threads."""

    def score(self, query: str, passages: Sequence[str]) -> Sequence[float]:
        """How well each passage answers the query, from 0 to 1, in the order of `passages`; equal scores keep their order."""
        ...


@cache
def load(name: str) -> Reranker:
    """The reranker of this name. Raises UnknownReranker and BrokenReranker."""
    if name not in plugins.names(GROUP):
        raise UnknownReranker(name=name, names=", ".join(plugins.names(GROUP)))
    try:
        made = cast(Callable[[], Reranker], plugins.load(GROUP, name))()
    except Exception as error:
        raise BrokenReranker(name=name, detail=f"{type(error).__name__}: {error}") from error
    return made


def judge(name: str, query: str, passages: Sequence[str]) -> list[float]:
    """The scores of a reranker, as its contract has them. Raises UnknownReranker and BrokenReranker."""
    try:
        scores = [float(score) for score in load(name).score(query, passages)]
    except (UnknownReranker, BrokenReranker):
        raise
    except Exception as error:
        raise BrokenReranker(name=name, detail=f"{type(error).__name__}: {error}") from error
    if len(scores) != len(passages) or not all(0 <= score <= 1 for score in scores):
        detail = f"it gave {len(scores)} scores for {len(passages)} passages, or one that is not from 0 to 1"
        raise BrokenReranker(name=name, detail=detail)
    return scores


class Proximity:
    """Passages in which the query's words stand near each other: how many of them do, times how densely.

    The density is that of the shortest stretch with all the words that the passage has (Clarke, Cormack and Tudhope 2000).
    """

    def score(self, query: str, passages: Sequence[str]) -> Sequence[float]:
        """How near to each other the query's words stand in each passage."""
        rows = {terms(unit.atoms) for unit in units(query, most=64)}
        return [_nearness(text, rows) for text in passages]


def _nearness(text: str, rows: set[tuple[str, ...]]) -> float:
    found = matches(text, rows)
    held = {row for _, row in found}
    if not held:
        return 0.0
    shortest, first = len(text), 0
    counts: dict[tuple[str, ...], int] = {}
    for (_, end), row in found:
        counts[row] = counts.get(row, 0) + 1
        while len(counts) == len(held):
            (start, _), earliest = found[first]
            shortest = min(shortest, max(1, end - start))
            counts[earliest] -= 1
            if not counts[earliest]:
                del counts[earliest]
            first += 1
    characters = sum(len(" ".join(row)) for row in held) + len(held) - 1
    return len(held) / len(rows) * (0.5 + 0.5 * min(1.0, characters / shortest))
