"""How many jobs to claim at once: as many as can be done in half a second, by what their implementations took so far."""

from collections.abc import Iterable

TARGET_MS = 440.0
"""Predicted milliseconds of a full batch's stages at most: a job waits for the whole batch that it is in, and should be through
in half a second with its claim and the last commit."""
FIRST_LIMIT = 8
"""Jobs in a batch whose implementations were never measured."""
WEIGHT = 0.3
"""How much the newest measurement counts in the moving average."""


class BatchSizing:
    """Milliseconds per document by implementation, as exponentially weighted moving averages."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ms: dict[str, float] = {}

    def measured(self, implementation: str, documents: int, ms: float) -> None:
        """Take in that `documents` took `ms` together, waits for rate limits included."""
        new = ms / max(1, documents)
        old = self._ms.get(implementation, new)
        self._ms[implementation] = old + WEIGHT * (new - old)

    def predicted(self, implementation: str, documents: int) -> float | None:
        """Seconds that so many documents will take; None while that was never measured."""
        ms = self._ms.get(implementation)
        return None if ms is None else ms * documents / 1e3

    def limit(self, implementations: Iterable[str]) -> int:
        """Jobs to claim for work that these implementations do one after the other."""
        names = list(implementations)
        if not names or any(name not in self._ms for name in names):
            return min(FIRST_LIMIT, self._limit)
        predicted = sum(self._ms[name] for name in names)
        return max(1, min(self._limit, int(TARGET_MS / max(predicted, 1e-6))))
