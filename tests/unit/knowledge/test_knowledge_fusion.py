"""Fusion of rankings: what must hold for any rankings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge import fusion, relevance

SCORES = st.floats(min_value=-100, max_value=100, allow_nan=False)
RANKING = st.dictionaries(st.integers(0, 40), SCORES, max_size=20).map(
    lambda scores: sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
)
RANKINGS = st.dictionaries(st.sampled_from(["bm25", "dense", "sparse"]), RANKING)
METHODS = {
    "rrf": fusion.reciprocal_ranks,
    "weighted": fusion.scaled,
    "calibrated": lambda ranking: relevance.meaning(ranking, "unknown"),
}
METHOD = st.sampled_from(sorted(METHODS))


def values(rankings: dict[str, fusion.Ranking], method: str) -> fusion.Values:
    return {name: METHODS[method](ranking) for name, ranking in rankings.items()}


def test_reciprocal_ranks_are_what_the_formula_says_as_shares_of_the_best() -> None:
    rankings = {"bm25": [(1, 9.0), (2, 8.0)], "dense": [(2, 0.9), (3, 0.8)]}
    fused = fusion.fuse(values(rankings, "rrf"), {})
    assert dict(fused) == pytest.approx({1: 61 / 61 / 2, 2: (61 / 62 + 1) / 2, 3: 61 / 62 / 2})
    assert [item for item, _ in fused] == [2, 1, 3]


@given(RANKINGS, METHOD)
def test_every_id_is_ranked_once_best_first_from_0_to_1(rankings: dict[str, fusion.Ranking], method: str) -> None:
    fused = fusion.fuse(values(rankings, method), {})
    items = [item for item, _ in fused]
    assert sorted(items) == sorted({item for ranking in rankings.values() for item, _ in ranking})
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


@given(RANKINGS, st.randoms())
def test_the_order_of_the_retrievers_does_not_matter(rankings: dict[str, fusion.Ranking], random: "st.Random") -> None:
    names = list(rankings)
    random.shuffle(names)
    one, other = (fusion.fuse(values(given, "rrf"), {}) for given in (rankings, {n: rankings[n] for n in names}))
    assert dict(one) == pytest.approx(dict(other))


@given(RANKING)
def test_one_retriever_alone_keeps_its_order(ranking: fusion.Ranking) -> None:
    fused = fusion.fuse({"bm25": fusion.reciprocal_ranks(ranking)}, {})
    assert [item for item, _ in fused] == [item for item, _ in ranking]


@given(RANKINGS)
def test_reciprocal_ranks_look_at_ranks_alone(rankings: dict[str, fusion.Ranking]) -> None:
    squeezed = {name: [(item, -float(rank)) for rank, (item, _) in enumerate(r)] for name, r in rankings.items()}
    assert values(rankings, "rrf") == values(squeezed, "rrf")


@given(RANKINGS, METHOD)
def test_an_id_that_is_ahead_everywhere_is_ahead(rankings: dict[str, fusion.Ranking], method: str) -> None:
    best = 99
    ahead = {name: [(best, 200.0), *ranking] for name, ranking in rankings.items()}
    fused = fusion.fuse(values(ahead, method), {})
    assert not fused or fused[0][1] == dict(fused)[best]


@given(RANKING, RANKING)
def test_a_retriever_of_weight_zero_orders_nothing(bm25: fusion.Ranking, dense: fusion.Ranking) -> None:
    fused = fusion.fuse(values({"bm25": bm25, "dense": dense}, "rrf"), {"dense": 0.0})
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


@given(RANKINGS, METHOD)
def test_the_parts_of_a_score_add_up_to_it(rankings: dict[str, fusion.Ranking], method: str) -> None:
    how = (values(rankings, method), {"bm25": 1.0, "dense": 0.8})
    parts = fusion.parts(*how)
    for item, score in fusion.fuse(*how):
        assert sum(part.get(item, 0.0) for part in parts.values()) == pytest.approx(score)


@given(st.lists(st.integers(0, 30), unique=True, max_size=20))
def test_one_member_of_a_group_is_shown_at_the_best_place_of_all(items: list[int]) -> None:
    fused = [(item, 1.0 - place / 100) for place, item in enumerate(items)]
    member = {item: item // 3 for item in items}
    present = set(member.values())
    # Members 2n and 2n + 1 are one group, of which the later one is shown when it is there.
    shown = {one: one + 1 if one % 2 == 0 and one + 1 in present else one for one in present}
    alone = fusion.one_of_each(fused, member, shown)
    kept = [item for item, _ in alone]
    assert len(set(kept)) == len(kept)
    assert set(kept) == {item for item in items if shown[member[item]] == member[item]}
    assert [score for _, score in alone] == sorted((score for _, score in alone), reverse=True)
    for group in {shown[one] for one in present}:
        best = next(place for place, item in enumerate(items) if shown[member[item]] == group)
        first = next(score for item, score in alone if member[item] == group)
        assert first == fused[best][1]
