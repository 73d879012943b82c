"""Measures against figures worked out by hand, and what must hold for any ranking."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.evaluation.measures import Agreement, agreement, ndcg, randomisation_test, recall

IDS = st.lists(st.sampled_from("abcdefgh"), unique=True)
GRADES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3))


def test_ndcg_by_hand() -> None:
    grades = {"a": 2, "b": 1}
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert ndcg(["x", "b", "a"], grades) == pytest.approx((1 / math.log2(3) + 2 / math.log2(4)) / ideal)
    assert ndcg(["a", "b"], grades) == 1
    assert ndcg(["x"] * 10 + ["a"], grades) == 0
    assert ndcg(["a"], {}) == 0


def test_recall_by_hand() -> None:
    assert recall(["a", "x"], {"a": 1, "b": 1, "x": 0}) == 0.5
    assert recall(["x", "a"], {"a": 1}, depth=1) == 0
    assert recall(["a"], {"a": 0}) == 0


@given(IDS, GRADES)
def test_measures_are_shares(ranking: list[str], grades: dict[str, int]) -> None:
    assert 0 <= ndcg(ranking, grades) <= 1 + 1e-12
    assert 0 <= recall(ranking, grades) <= 1
    best = sorted(grades, key=lambda item: -grades[item])
    assert ndcg(ranking, grades) <= ndcg(best, grades) + 1e-12


def test_the_randomisation_test_knows_noise_from_difference() -> None:
    base = [0.1 * (n % 7) for n in range(60)]
    better = [value + 0.05 for value in base]
    noisy = [value + (0.05 if n % 2 else -0.05) for n, value in enumerate(base)]
    assert randomisation_test(better, base) < 0.001
    assert randomisation_test(noisy, base) > 0.5
    assert randomisation_test(base, base) == 1
    assert randomisation_test(better, base) == randomisation_test(better, base)


def test_agreement_adds_up() -> None:
    one = agreement({"a", "b"}, {"b", "c", "d"})
    assert (one.precision, one.recall) == (0.5, pytest.approx(1 / 3))
    assert one.f1 == pytest.approx(0.4)
    assert one + Agreement(1, 1, 1) == Agreement(2, 3, 4)
    assert Agreement(0, 0, 0).figures().f1 == 0
