"""Rate limits that all processes share: each leases calls from one bucket per policy and key.

The token bucket of RFC 2697 with one rate: tokens come in evenly, and as many as `BURST_S` give may wait to be taken.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

BURST_S = 0.5
MAX_BUCKETS = 10_000
GRACE_S = 0.5
"""Seconds after the end of its wait in which who was refused asks again."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    rate: float = 0.0
    refused_until: float = float("-inf")


@dataclass(frozen=True)
class Spent:
    """A rate that is used up while somebody waits for it: calls per second, and the seconds until the next call."""

    policy: str
    key: str
    rate_per_s: float
    wait_s: float


class Rates:
    """The buckets, in memory: after a restart each begins with one call. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def lease(self, policy: str, key: str, rate_per_s: float, want: int) -> tuple[int, float]:
        """Up to `want` calls that may be made now, and if none, the seconds until there is one."""
        bucket = self._filled(policy, key, rate_per_s)
        granted = min(want, int(bucket.tokens))
        bucket.tokens -= granted
        wait_s = 0.0 if granted else (1.0 - bucket.tokens) / rate_per_s
        bucket.rate, bucket.refused_until = rate_per_s, float("-inf") if granted else bucket.filled_at + wait_s
        return granted, wait_s

    def spent(self) -> list[Spent]:
        """The rates that somebody waits for now, because the last who asked was refused and is still to ask again."""
        now = self._clock()
        return [
            Spent(*place, bucket.rate, max(0.0, bucket.refused_until - now))
            for place, bucket in self._buckets.items()
            if now <= bucket.refused_until + GRACE_S
        ]

    def _filled(self, policy: str, key: str, rate_per_s: float) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault((policy, key), _Bucket(1.0, now))
        self._buckets.move_to_end((policy, key))
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        most = max(1.0, rate_per_s * BURST_S)
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * rate_per_s)
        bucket.filled_at = now
        return bucket
