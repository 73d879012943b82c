"""Breakers and rate limits that all processes of a lab share, by way of whoever keeps their state.

On the healthy path nobody is asked: a closed circuit is known here and stays so until a call fails. While the keeper cannot be
reached, calls go on by what was known last: a lab without its ledger does nothing else either.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from medkg_lab.errors import LabError
from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.faults import counts_against_service
from medkg_lab.resilience.limiter import Limiter
from medkg_lab.resilience.policies import CircuitBreakerConfig

T = TypeVar("T")
log = logging.getLogger(__name__)

CLOSED = "closed"
LEASE_SECONDS = 0.1
"""Calls worth so many seconds of a rate limit are leased at once, and one at least."""
PROBE_MARGIN = 5.0
"""Seconds beyond a call's time-out after which another process may probe."""


class Keeper(Protocol):
    """Who keeps the state; the ledger's client is one."""

    def breaker_report(
        self, policy: str, key: str, outcome: str, *, threshold: int, reset_s: float, owner: str
    ) -> dict[str, Any]: ...
    def breaker_probe(self, policy: str, key: str, *, owner: str, limit_s: float | None = None) -> dict[str, Any]: ...
    def rate_lease(self, policy: str, key: str, rate_per_s: float, want: int = 1) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Place:
    """Which circuit or rate: the policy's name and the key, and as whom this process asks."""

    policy: str
    key: str
    owner: str


class SharedBreaker:
    """A circuit breaker for any number of threads and processes."""

    def __init__(
        self,
        keeper: Keeper,
        place: Place,
        config: CircuitBreakerConfig,
        timeout_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keeper = keeper
        self._place = place
        self._config = config
        self._probe_seconds = timeout_seconds + PROBE_MARGIN
        self._now = now
        self._lock = threading.Lock()
        self._open_until: float | None = None
        self._failures = 0

    def __repr__(self) -> str:
        return f"<SharedBreaker {self._place.key}: {self.state}, {self._failures} failures>"

    @property
    def state(self) -> str:
        """`closed` or `open`, as far as this process knows."""
        return CLOSED if self._open_until is None else "open"

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` if the circuit allows it. Raises BreakerOpen, or what `function` raises."""
        probing = self._admit()
        outcome = "none"
        try:
            result = function()
            outcome = "success"
            return result
        except Exception as error:
            if counts_against_service(error):
                outcome = "failure"
            raise
        finally:
            self._settle(outcome, probing)

    def _admit(self) -> bool:
        """Let the call through, and say whether it is the probe of a circuit that is half open. Raises BreakerOpen."""
        with self._lock:
            until = self._open_until
        if until is None:
            return False
        if (left := until - self._now()) > 0:
            raise self._refused(left)
        place = self._place
        answer = self._ask(
            lambda: self._keeper.breaker_probe(place.policy, place.key, owner=place.owner, limit_s=self._probe_seconds)
        )
        if answer is None:
            return False
        if not answer["granted"]:
            self._learn(answer)
            raise self._refused(max(0.0, (answer["until"] or 0.0) - self._now()))
        if answer["state"] == CLOSED:
            self._learn(answer)
            return False
        return True

    def _settle(self, outcome: str, probing: bool) -> None:
        """Report what says something, unless it is one more success of a circuit that is known to be well."""
        with self._lock:
            worth = outcome == "failure" or probing or (outcome == "success" and self._failures > 0)
            if outcome != "none":
                self._failures = self._failures + 1 if outcome == "failure" else 0
        if worth:
            answer = self._ask(lambda: self._report(outcome))
            if answer is not None:
                self._learn(answer)

    def _report(self, outcome: str) -> dict[str, Any]:
        place, config = self._place, self._config
        return self._keeper.breaker_report(
            place.policy,
            place.key,
            outcome,
            threshold=config.failure_threshold,
            reset_s=config.reset_timeout_seconds,
            owner=place.owner,
        )

    def _learn(self, answer: Mapping[str, Any]) -> None:
        with self._lock:
            self._open_until = None if answer["state"] == CLOSED else float(answer["until"] or self._now())

    def _refused(self, left: float) -> BreakerOpen:
        return BreakerOpen(key=self._place.key, seconds=left, failures=max(self._failures, 1))

    def _ask(self, question: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        return _ask(self._place, question)


class SharedLimiter:
    """A rate limit for any number of threads and processes: calls are leased, a few at once where many are allowed."""

    def __init__(
        self,
        keeper: Keeper,
        place: Place,
        per_second: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._keeper = keeper
        self._place = place
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._leased = 0
        self._alone = Limiter(per_second, clock)

    def reserve(self, within: float) -> float | None:
        """Wait for a call of the lease; the seconds that are still to be waited, or None when that would be over `within`."""
        until = self._clock() + within
        with self._lock:
            while self._leased == 0:
                answer = _ask(self._place, self._lease)
                if answer is None:
                    return self._alone.reserve(until - self._clock())
                self._leased = int(answer["granted"])
                if self._leased == 0:
                    if self._clock() + answer["wait_s"] > until:
                        return None
                    self._sleep(answer["wait_s"])
            self._leased -= 1
        return 0.0

    def _lease(self) -> dict[str, Any]:
        want = max(1, int(self._per_second * LEASE_SECONDS))
        return self._keeper.rate_lease(self._place.policy, self._place.key, self._per_second, want)


def _ask(place: Place, question: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The keeper's answer; None, with a line in the log, while there is none."""
    try:
        return question()
    except LabError as error:
        log.warning("the shared state of %s is not known: %s", place.key, error)
        return None
