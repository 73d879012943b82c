"""Putting the rankings of several search legs together: pure functions over ids, ranks and scores."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

Ranking = Sequence[tuple[int, float]]
"""Ids with their scores, best first."""


def reciprocal_rank(
    rankings: Mapping[str, Ranking], weights: Mapping[str, float] | None = None, k: int = RRF_K
) -> list[tuple[int, float]]:
    """Fuse by rank: an id scores the sum over legs of weight / (k + rank), with ranks from 1; best first, ties by id."""
    return _added(rankings, weights, lambda ranking: _reciprocal_ranks(ranking, k))


def weighted(rankings: Mapping[str, Ranking], weights: Mapping[str, float] | None = None) -> list[tuple[int, float]]:
    """Fuse by score: each leg's scores are scaled to 0..1 (min-max), then added up by weight; best first, ties by id.

    When all scores of a leg are equal each counts as 1.
    """
    return _added(rankings, weights, _scaled)


def fuse(rankings: Mapping[str, Ranking], method: str, weights: Mapping[str, float], k: int) -> list[tuple[int, float]]:
    """Fuse by `method`: `rrf` or `weighted`."""
    return weighted(rankings, weights) if method == "weighted" else reciprocal_rank(rankings, weights, k)


def parts(
    rankings: Mapping[str, Ranking], method: str, weights: Mapping[str, float], k: int
) -> dict[str, dict[int, float]]:
    """What each leg adds to each id's fused score; over the legs they add up to what `fuse` gives."""
    return {leg: dict(fuse({leg: ranking}, method, weights, k)) for leg, ranking in rankings.items()}


def _added(
    rankings: Mapping[str, Ranking], weights: Mapping[str, float] | None, values: Callable[[Ranking], Iterable[float]]
) -> list[tuple[int, float]]:
    scores: defaultdict[int, float] = defaultdict(float)
    for leg, ranking in rankings.items():
        weight = 1.0 if weights is None else weights.get(leg, 1.0)
        for (item, _), value in zip(ranking, values(ranking), strict=True):
            scores[item] += weight * value
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def _reciprocal_ranks(ranking: Ranking, k: int) -> Iterable[float]:
    return (1 / (k + rank) for rank in range(1, len(ranking) + 1))


def _scaled(ranking: Ranking) -> Iterable[float]:
    values = [score for _, score in ranking]
    low, span = min(values, default=0.0), max(values, default=0.0) - min(values, default=0.0)
    return ((value - low) / span if span > 0 else 1.0 for value in values)


def ranks(ranking: Ranking) -> dict[int, int]:
    """The rank of each id, from 1."""
    return {item: rank for rank, (item, _) in enumerate(ranking, start=1)}


def diverse(
    fused: Sequence[tuple[int, float]], group: Mapping[int, str], most: int
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The first `most` ids of each group, and those that are passed over for them, both in order; without a group: neither."""
    taken: defaultdict[str, int] = defaultdict(int)
    kept: list[tuple[int, float]] = []
    passed: list[tuple[int, float]] = []
    for item, score in fused:
        if item in group:
            taken[group[item]] += 1
            (kept if taken[group[item]] <= most else passed).append((item, score))
    return kept, passed
