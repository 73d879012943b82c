"""Measures of ranked lists and of sets, and a test of differences: pure functions."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DEPTH_OF_NDCG = 10
DEPTH_OF_RECALL = 100
PERMUTATIONS = 10_000


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH_OF_NDCG) -> float:
    """Normalised discounted cumulative gain with the grades as gains, as trec_eval computes `ndcg_cut`; 0 without any relevant.

    Järvelin and Kekäläinen, ACM TOIS 20 (2002).
    """
    ideal = _gain(sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:depth])
    return _gain([max(0, grades.get(item, 0)) for item in ranking[:depth]]) / ideal if ideal else 0.0


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH_OF_RECALL) -> float:
    """The share of the relevant documents among the first `depth`; 0 without any relevant."""
    relevant = {item for item, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant) if relevant else 0.0


def randomisation_test(
    first: Sequence[float], second: Sequence[float], permutations: int = PERMUTATIONS, seed: int = 0
) -> float:
    """Two-sided p of a paired randomisation test: how often differences of random sign are as large on average as those seen.

    Smucker, Allan and Carterette, CIKM 2007; with the observed arrangement counted, so p is never 0.
    """
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    observed = abs(differences.sum())
    generator = np.random.default_rng(seed)
    as_large = 0
    for start in range(0, permutations, 500):
        signs = generator.choice((-1.0, 1.0), size=(min(500, permutations - start), len(differences)))
        as_large += int(np.count_nonzero(np.abs(signs @ differences) >= observed - 1e-12))
    return (as_large + 1) / (permutations + 1)


@dataclass(frozen=True)
class Agreement:
    """What was found against what there is, as counts."""

    right: int
    found: int
    expected: int

    @property
    def precision(self) -> float:
        """The share of what was found that is right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of what there is that was found."""
        return self.right / self.expected if self.expected else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (self.found + self.expected) if self.right else 0.0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.right + other.right, self.found + other.found, self.expected + other.expected)

    def figures(self) -> "Figures":
        """The counts and the shares, for printing."""
        return Figures(self.right, self.found, self.expected, self.precision, self.recall, self.f1)


@dataclass(frozen=True)
class Figures:
    """An agreement as it is printed."""

    right: int
    found: int
    expected: int
    precision: float
    recall: float
    f1: float


def agreement(found: Collection[object], expected: Collection[object]) -> Agreement:
    """Compare two sets."""
    found, expected = set(found), set(expected)
    return Agreement(len(found & expected), len(found), len(expected))
