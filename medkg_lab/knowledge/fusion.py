"""Putting the rankings of several search legs together: pure functions over ids, ranks and scores."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

Ranking = Sequence[tuple[int, float]]
"""Ids with their scores, best first."""


def reciprocal_rank(
    rankings: Mapping[str, Ranking], weights: Mapping[str, float] | None = None, k: int = RRF_K
) -> list[tuple[int, float]]:
    """Fuse by rank: an id scores the sum over legs of weight / (k + rank), with ranks from 1; best first, ties by id."""
    scores: defaultdict[int, float] = defaultdict(float)
    for leg, ranking in rankings.items():
        weight = _weight(weights, leg)
        for rank, (item, _) in enumerate(ranking, start=1):
            scores[item] += weight / (k + rank)
    return _sorted(scores)


def weighted(rankings: Mapping[str, Ranking], weights: Mapping[str, float] | None = None) -> list[tuple[int, float]]:
    """Fuse by score: each leg's scores are scaled to 0..1 (min-max), then added up by weight; best first, ties by id.

    When all scores of a leg are equal each counts as 1.
    """
    scores: defaultdict[int, float] = defaultdict(float)
    for leg, ranking in rankings.items():
        values = [score for _, score in ranking]
        low, span = min(values, default=0.0), max(values, default=0.0) - min(values, default=0.0)
        for item, score in ranking:
            scores[item] += _weight(weights, leg) * ((score - low) / span if span > 0 else 1.0)
    return _sorted(scores)


def _weight(weights: Mapping[str, float] | None, leg: str) -> float:
    return 1.0 if weights is None else weights.get(leg, 1.0)


def _sorted(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def fuse(rankings: Mapping[str, Ranking], method: str, weights: Mapping[str, float], k: int) -> list[tuple[int, float]]:
    """Fuse by `method`: `rrf` or `weighted`."""
    return weighted(rankings, weights) if method == "weighted" else reciprocal_rank(rankings, weights, k)


def ranks(ranking: Ranking) -> dict[int, int]:
    """The rank of each id, from 1."""
    return {item: rank for rank, (item, _) in enumerate(ranking, start=1)}


def diverse(fused: Sequence[tuple[int, float]], group: Mapping[int, str], most: int) -> list[tuple[int, float]]:
    """Keep at most `most` ids of each group, in order; ids without a group are left out."""
    taken: defaultdict[str, int] = defaultdict(int)
    kept = []
    for item, score in fused:
        if item in group and taken[group[item]] < most:
            taken[group[item]] += 1
            kept.append((item, score))
    return kept
