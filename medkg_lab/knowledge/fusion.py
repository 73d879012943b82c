"""Putting the rankings of several retrievers together: pure functions over ids, ranks and scores."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

Ranking = Sequence[tuple[int, float]]
"""Ids with their scores, best first."""
Values = Mapping[str, Mapping[int, float]]
"""What each retriever says of ids, from 0 to 1."""


def reciprocal_ranks(ranking: Ranking, k: int = RRF_K) -> dict[int, float]:
    """Values by rank alone: (k + 1) / (k + rank), with ranks from 1."""
    return {item: (k + 1) / (k + rank) for rank, (item, _) in enumerate(ranking, start=1)}


def scaled(ranking: Ranking) -> dict[int, float]:
    """Values by score, from 0 for the last to 1 for the first (min-max); when all scores are equal each counts as 1."""
    scores = [score for _, score in ranking]
    low, span = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)
    return {item: (score - low) / span if span > 0 else 1.0 for item, score in ranking}


def parts(values: Values, weights: Mapping[str, float]) -> dict[str, dict[int, float]]:
    """What each retriever adds to each id's score: its value by its share of the weights. One without a weight counts 1."""
    total = sum(weights.get(name, 1.0) for name in values)
    return {
        name: {item: value * weights.get(name, 1.0) / total if total > 0 else 0.0 for item, value in found.items()}
        for name, found in values.items()
    }


def fuse(values: Values, weights: Mapping[str, float]) -> list[tuple[int, float]]:
    """The weighted mean of the retrievers' values, from 0 to 1, best first, ties by id; what one does not know has 0 there."""
    scores: defaultdict[int, float] = defaultdict(float)
    for found in parts(values, weights).values():
        for item, value in found.items():
            scores[item] += value
    return in_order(scores.items())


def in_order(scores: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Ids with scores, best first, ties by id."""
    return sorted(scores, key=lambda pair: (-pair[1], pair[0]))


def ranks(ranking: Ranking) -> dict[int, int]:
    """The rank of each id, from 1."""
    return {item: rank for rank, (item, _) in enumerate(ranking, start=1)}


def one_of_each(
    fused: Sequence[tuple[int, float]], group: Mapping[int, int], shown: Mapping[int, int]
) -> list[tuple[int, float]]:
    """Of groups with several members only the ids of the member that is `shown`; its first takes the group's best place.

    `group` gives the member of each id, `shown` for each member the one that stands for its group. Scores never rise.
    """
    waiting = [pair for pair in fused if shown[group[pair[0]]] == group[pair[0]]]
    first: dict[int, tuple[int, float]] = {}
    for item, score in waiting:
        first.setdefault(group[item], (item, score))
    kept: list[tuple[int, float]] = []
    placed: set[int] = set()
    for item, score in fused:
        member = shown[group[item]]
        if member not in placed and member in first:
            kept.append((first[member][0], score))
            placed.add(member)
        elif group[item] == member and item != first[member][0]:
            kept.append((item, score))
    return kept


def diverse(
    fused: Sequence[tuple[int, float]], group: Mapping[int, object], most: int
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The first `most` ids of each group, and those that are passed over for them, both in order; without a group: neither."""
    taken: defaultdict[object, int] = defaultdict(int)
    kept: list[tuple[int, float]] = []
    passed: list[tuple[int, float]] = []
    for item, score in fused:
        if item in group:
            taken[group[item]] += 1
            (kept if taken[group[item]] <= most else passed).append((item, score))
    return kept, passed
