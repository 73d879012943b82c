"""Fusion of rankings: what must hold for any rankings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge import fusion

SCORES = st.floats(min_value=-100, max_value=100, allow_nan=False)
RANKING = st.dictionaries(st.integers(0, 40), SCORES, max_size=20).map(
    lambda scores: sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
)
RANKINGS = st.dictionaries(st.sampled_from(["bm25", "dense", "sparse"]), RANKING)


def test_reciprocal_rank_adds_up_what_the_formula_says() -> None:
    rankings = {"bm25": [(1, 9.0), (2, 8.0)], "dense": [(2, 0.9), (3, 0.8)]}
    fused = dict(fusion.reciprocal_rank(rankings))
    assert fused == pytest.approx({1: 1 / 61, 2: 1 / 62 + 1 / 61, 3: 1 / 62})
    assert [item for item, _ in fusion.reciprocal_rank(rankings)] == [2, 1, 3]


@given(RANKINGS)
def test_every_id_of_every_leg_is_ranked_once_and_best_first(rankings: dict[str, fusion.Ranking]) -> None:
    for method in ("rrf", "weighted"):
        fused = fusion.fuse(rankings, method, {}, fusion.RRF_K)
        items = [item for item, _ in fused]
        assert sorted(items) == sorted({item for ranking in rankings.values() for item, _ in ranking})
        assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(RANKINGS, st.randoms())
def test_the_order_of_the_legs_does_not_matter(rankings: dict[str, fusion.Ranking], random: "st.Random") -> None:
    names = list(rankings)
    random.shuffle(names)
    one, other = fusion.reciprocal_rank(rankings), fusion.reciprocal_rank({name: rankings[name] for name in names})
    assert dict(one) == pytest.approx(dict(other))


@given(RANKING)
def test_one_leg_alone_keeps_its_order(ranking: fusion.Ranking) -> None:
    assert [item for item, _ in fusion.reciprocal_rank({"bm25": ranking})] == [item for item, _ in ranking]
    assert [item for item, _ in fusion.weighted({"bm25": ranking})] == _by_scaled(ranking)


def _by_scaled(ranking: fusion.Ranking) -> list[int]:
    values = [score for _, score in ranking]
    if not values or max(values) == min(values):
        return sorted(item for item, _ in ranking)
    low, span = min(values), max(values) - min(values)
    return [item for item, _ in sorted(ranking, key=lambda pair: (-(pair[1] - low) / span, pair[0]))]


@given(RANKINGS)
def test_reciprocal_rank_looks_at_ranks_alone(rankings: dict[str, fusion.Ranking]) -> None:
    squeezed = {leg: [(item, -float(rank)) for rank, (item, _) in enumerate(r)] for leg, r in rankings.items()}
    assert fusion.reciprocal_rank(rankings) == fusion.reciprocal_rank(squeezed)


@given(RANKINGS)
def test_an_id_that_is_ahead_in_every_leg_is_ahead(rankings: dict[str, fusion.Ranking]) -> None:
    best = 99
    ahead = {leg: [(best, 200.0), *ranking] for leg, ranking in rankings.items()}
    for method in ("rrf", "weighted"):
        fused = fusion.fuse(ahead, method, {}, fusion.RRF_K)
        assert not fused or fused[0][0] == best


@given(RANKING, RANKING)
def test_a_leg_of_weight_zero_orders_nothing(bm25: fusion.Ranking, dense: fusion.Ranking) -> None:
    fused = fusion.reciprocal_rank({"bm25": bm25, "dense": dense}, {"dense": 0.0})
    scored = [item for item, score in fused if score > 0]
    assert scored == [item for item, _ in bm25]


@given(st.lists(st.integers(0, 50), unique=True), st.integers(1, 4))
def test_diverse_keeps_the_first_of_each_group(items: list[int], most: int) -> None:
    group = {item: f"d{item % 5}" for item in items if item % 7}
    kept, passed = ([item for item, _ in part] for part in fusion.diverse([(i, 1.0) for i in items], group, most))
    assert kept == [item for item in items if item in kept]
    assert passed == [item for item in items if item in group and item not in kept]
    for name in set(group.values()):
        members = [item for item in items if group.get(item) == name]
        assert [item for item in kept if group[item] == name] == members[:most]
    assert set(kept) <= set(group)


@given(RANKINGS, st.sampled_from(["rrf", "weighted"]))
def test_the_parts_of_a_score_add_up_to_it(rankings: dict[str, fusion.Ranking], method: str) -> None:
    how = (method, {"bm25": 1.0, "dense": 0.8}, fusion.RRF_K)
    parts = fusion.parts(rankings, *how)
    for item, score in fusion.fuse(rankings, *how):
        assert sum(part.get(item, 0.0) for part in parts.values()) == pytest.approx(score)
