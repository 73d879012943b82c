"""Scores that mean something: how much of a query a passage holds and how near it is in meaning, from 0 to 1 each.

A score of BM25 is measured against that of a passage in which each word of the query stands once (`TextIndex.ideal`), a cosine
against the range that its model gives. So a score is not relative to the best hit: nonsense has no hit near 1.
"""

import math
import re
from collections.abc import Mapping, Sequence

from medkg_lab.stages.embed.weights import INT8_MODEL_ID, MODEL_ID

UNHEARD = 0.5
"""The floor for a query of which no document has a single word: only a near meaning shows that it makes sense."""
EXCLUDING = 0.35
"""What the score of a passage that says who or what is excluded is multiplied by."""
_EXCLUSION = re.compile(r"\b(?:exclu|ineligib|contraindicat)", re.IGNORECASE)
_SATURATION_FACTOR = 1.5
_RANGES = {MODEL_ID: (0.1, 0.8), INT8_MODEL_ID: (0.1, 0.8)}
"""Cosines of a text with what has nothing to do with it, and with what says the same, by model: mean over all pairs of
queries and documents of SciFact, and 95th percentile of the relevant ones."""

Ranking = Sequence[tuple[int, float]]


def lexical(ranking: Ranking, ideal: float) -> dict[int, float]:
    """The share of the query's words that passages hold, by BM25 score: 0.78 where each stands once, more where more often."""
    if ideal <= 0:
        return {key: 1.0 for key, _ in ranking}
    return {key: 1 - math.exp(-_SATURATION_FACTOR * score / ideal) for key, score in ranking}


def meaning(ranking: Ranking, model: str) -> dict[int, float]:
    """How near passages are in meaning, by cosine; for a model whose range is not known, from the farthest to 1."""
    if not ranking:
        return {}
    low, high = _RANGES.get(model, (min(score for _, score in ranking), 1.0))
    return {key: min(1.0, max(0.0, (score - low) / (high - low))) if high > low else 1.0 for key, score in ranking}


def learned(ranking: Ranking) -> dict[int, float]:
    """Scores of a learned sparse model, as shares of the best: they have no other measure."""
    best = max((score for _, score in ranking), default=0.0)
    return {key: score / best if best > 0 else 0.0 for key, score in ranking}


def is_known(model: str | None) -> bool:
    """Whether the range of a model's cosines is known, so that nonsense can be told by it."""
    return model in _RANGES


def evidence(values: Mapping[str, Mapping[int, float]], key: int) -> float:
    """How sure it is that a passage has to do with the query: that not all retrievers are wrong about it."""
    return 1 - math.prod(1 - found.get(key, 0.0) for found in values.values())


def is_about_exclusion(query: str) -> bool:
    """Whether a query is about who or what is excluded."""
    return _EXCLUSION.search(query) is not None
