"""A stage's calls under a policy: deadline( retry( breaker( limiter -> time-out( call ) ) ) ).

Each attempt is timed and counted by itself; the wait for the rate limit is neither the service's fault nor part of the time-out;
an open breaker takes no slot of the rate limit and is not retried. tenacity does the retrying.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from medkg_lab.resilience.backoff import pause
from medkg_lab.resilience.breaker import Breaker
from medkg_lab.resilience.errors import DeadlineExceeded, StageTimeout
from medkg_lab.resilience.faults import worth_retrying
from medkg_lab.resilience.isolation import TimedOut, call_within
from medkg_lab.resilience.limiter import Limiter
from medkg_lab.resilience.policies import CircuitBreakerConfig, ResiliencePolicyConfig
from medkg_lab.resilience.shared import Keeper, Place, SharedBreaker, SharedLimiter

T = TypeVar("T")
FOREVER = float("inf")

OnTransition = Callable[[str, str, str, str], None]
"""Called with the policy's name, the key, and the breaker's state before and after; briefly, for it holds the breaker's lock."""
OnRetry = Callable[[int, float, BaseException], None]
"""Called with the failed attempt's number (from 1), the pause in seconds that follows, and the error."""


def _no_transition(policy: str, key: str, before: str, after: str) -> None:
    return


def _no_retry(attempt: int, delay: float, error: BaseException) -> None:
    return


class BreakerRegistry:
    """The breakers and rate limits of a process: one for each policy and key, whoever calls.

    With a `keeper` they are shared with other processes, and `owner` is this one's name; whoever keeps the state then tells of
    transitions, not `on_transition`.

    `clock` gives seconds that never go back, `now` seconds since the epoch; `sleep` is how their callers wait, and `chance`, from
    0 to 1, what varies their pauses.
    """

    def __init__(
        self,
        on_transition: OnTransition = _no_transition,
        clock: Callable[[], float] = time.monotonic,
        keeper: Keeper | None = None,
        owner: str = "",
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self.chance = chance
        self._now = now
        self._on_transition = on_transition
        self._keeper = keeper
        self._owner = owner
        self._lock = threading.Lock()
        self._breakers: dict[tuple[ResiliencePolicyConfig, str], Breaker | SharedBreaker] = {}
        self._limiters: dict[tuple[ResiliencePolicyConfig, str], Limiter | SharedLimiter] = {}

    def breaker(self, policy: ResiliencePolicyConfig, key: str) -> Breaker | SharedBreaker | None:
        """The breaker of `policy` for `key`; None when the policy has none."""
        config = policy.circuit_breaker
        if config is None:
            return None
        with self._lock:
            if (policy, key) not in self._breakers:
                self._breakers[policy, key] = self._new_breaker(policy, key, config)
            return self._breakers[policy, key]

    def _new_breaker(
        self, policy: ResiliencePolicyConfig, key: str, config: CircuitBreakerConfig
    ) -> Breaker | SharedBreaker:
        if self._keeper is not None:
            place = Place(policy.name, key, self._owner)
            return SharedBreaker(self._keeper, place, config, policy.timeout_seconds, self._now)

        def moved(before: str, after: str) -> None:
            self._on_transition(policy.name, key, before, after)

        return Breaker(key, config, self.clock, moved)

    def limiter(self, policy: ResiliencePolicyConfig, key: str) -> Limiter | SharedLimiter | None:
        """The rate limit of `policy` for `key`; None when the policy has none."""
        rate = policy.rate_limit_per_second
        if rate is None:
            return None
        with self._lock:
            if (policy, key) not in self._limiters:
                place = Place(policy.name, key, self._owner)
                self._limiters[policy, key] = (
                    SharedLimiter(self._keeper, place, rate, self.clock, self.sleep)
                    if self._keeper is not None
                    else Limiter(rate, self.clock)
                )
            return self._limiters[policy, key]


SHARED = BreakerRegistry()
"""The registry of callers that bring none."""


@dataclass
class _Run(Generic[T]):
    """A call whose first attempt failed: what to do, until when, and what became of it; `failure` is that of the first attempt,
    until it is told."""

    function: Callable[[], T]
    deadline: float
    failure: Exception | None
    attempts: int = 1
    out_of_time: bool = False


class ResilientCall:
    """Calls functions under a policy, synchronously, from any thread.

    `key` names what is called: calls of one policy and key share a breaker and a rate limit. `limited=False` leaves the rate
    limit out, for calls that stay on this machine.

    With `isolate` an attempt runs in a thread of its own, so that its time-out holds; the thread of a call that never returns is
    left behind. This is for calls that wait for the network. Without it an attempt runs in the caller's thread and its time-out
    is not enforced: a computation that was left behind would go on to use the processor and the model beside the next one, so
    what hangs there is ended with its process once its batch is overdue.
    """

    def __init__(
        self,
        policy: ResiliencePolicyConfig,
        key: str,
        on_retry: OnRetry = _no_retry,
        *,
        isolate: bool = False,
        limited: bool = True,
        registry: BreakerRegistry = SHARED,
        sleep: Callable[[float], None] | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._policy = policy
        self._key = key
        self._on_retry = on_retry
        self._isolate = isolate
        self._clock = registry.clock
        self._sleep = sleep or registry.sleep
        self._chance = chance or registry.chance
        self._breaker = registry.breaker(policy, key)
        self._limiter = registry.limiter(policy, key) if limited else None
        self._retrying = Retrying(
            retry=retry_if_exception(worth_retrying),
            wait=self._pause,
            stop=self._is_over,
            before_sleep=self._announce,
            sleep=self._sleep,
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"<ResilientCall {self._key} by {self._policy.name}: {self._breaker or 'no breaker'}>"

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` until it succeeds or the policy gives up.

        Raises the last attempt's error, BreakerOpen, StageTimeout, or DeadlineExceeded. A DocumentError is raised at once.
        """
        deadline = self._clock() + (self._policy.deadline_seconds or FOREVER)
        try:
            return self._attempt(function, deadline, 1)
        except Exception as error:
            if self._policy.max_attempts == 1 or not worth_retrying(error):
                raise
            run = _Run(function, deadline, error)
        try:
            result: T = self._retrying(self._again, run)
            return result
        except Exception as error:
            if run.out_of_time and not isinstance(error, DeadlineExceeded):
                raise self._deadline_exceeded(run.attempts, error) from error
            raise

    def _again(self, run: _Run[T]) -> T:
        """What tenacity tries: it costs more than most calls do, so it comes in when the first attempt has failed already."""
        failure, run.failure = run.failure, None
        if failure is not None:
            raise failure
        run.attempts += 1
        return self._attempt(run.function, run.deadline, run.attempts)

    def _attempt(self, function: Callable[[], T], deadline: float, attempt: int) -> T:
        if self._breaker is None:
            return self._limited(function, deadline, attempt)
        return self._breaker.call(lambda: self._limited(function, deadline, attempt))

    def _limited(self, function: Callable[[], T], deadline: float, attempt: int) -> T:
        if self._limiter is not None:
            wait = self._limiter.reserve(deadline - self._clock())
            if wait is None:
                raise self._deadline_exceeded(attempt, "the rate limit leaves no time for it")
            if wait > 0:
                self._sleep(wait)
        return self._timed(function, deadline, attempt) if self._isolate else function()

    def _timed(self, function: Callable[[], T], deadline: float, attempt: int) -> T:
        left = deadline - self._clock()
        allowed = float(self._policy.timeout_seconds)
        try:
            return call_within(function, max(min(allowed, left), 0.0), f"call {self._key}")
        except TimedOut:
            if left < allowed:
                raise self._deadline_exceeded(attempt, "no answer yet") from None
            raise StageTimeout(key=self._key, seconds=allowed, policy=self._policy.name) from None

    def _deadline_exceeded(self, attempts: int, last: object) -> DeadlineExceeded:
        seconds, policy = self._policy.deadline_seconds, self._policy.name
        return DeadlineExceeded(key=self._key, seconds=seconds, attempts=attempts, last=last, policy=policy)

    def _pause(self, state: RetryCallState) -> float:
        """What the policy says, and at least what the service asked for."""
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        return max(pause(self._policy, state.attempt_number, self._chance()), float(asked or 0.0))

    def _is_over(self, state: RetryCallState) -> bool:
        run: _Run[Any] = state.args[0]
        if state.attempt_number >= self._policy.max_attempts:
            return True
        run.out_of_time = self._clock() + state.upcoming_sleep >= run.deadline
        return run.out_of_time

    def _announce(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            self._on_retry(state.attempt_number, state.upcoming_sleep, error)
