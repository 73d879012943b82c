"""A stage's calls under a policy: deadline( retry( breaker( limiter -> time-out( call ) ) ) ).

Each attempt is timed and counted by itself; the wait for the rate limit is neither the service's fault nor part of the time-out;
an open breaker takes no slot of the rate limit and is not retried. tenacity does the retrying, pybreaker the breaking, aiolimiter
the pacing. All of it goes by the time of the event loop that it runs in.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from medkg_lab.resilience.breaker import Breaker, StoreCall, call_inline
from medkg_lab.resilience.circuit_storage import CircuitKey, LocalCircuit, ResilienceStateStore, SharedCircuit
from medkg_lab.resilience.errors import DeadlineExceeded, StageTimeout, TimedOut
from medkg_lab.resilience.faults import worth_retrying
from medkg_lab.resilience.policies import BackoffStrategy, CircuitBreakerConfig, ResiliencePolicyConfig
from medkg_lab.resilience.rate_limiter import Limiter, leased_from


# The pause between two attempts.
def pause(policy: ResiliencePolicyConfig, attempt: int, chance: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1); `chance` in [0, 1) chooses the jitter.

    Exponential doubles the initial pause with each attempt, linear adds it; neither, jitter included, passes the maximum.
    """
    match policy.backoff_strategy:
        case BackoffStrategy.NONE:
            return 0.0
        case BackoffStrategy.LINEAR:
            base = policy.backoff_initial_seconds * attempt
        case BackoffStrategy.EXPONENTIAL:
            base = policy.backoff_initial_seconds * 2.0 ** (attempt - 1)
    return min(base + policy.backoff_jitter_seconds * chance, policy.backoff_max_seconds)


T = TypeVar("T")

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

    With a `state_store` they are shared with other processes, and `owner` is this one's name; the store then reports
    transitions, not `on_transition`. `store_call` is how the keeper is asked.

    `clock` gives seconds that never go back, `now` seconds since the epoch; `chance`, from 0 to 1, varies the pauses.
    """

    def __init__(
        self,
        on_transition: OnTransition = _no_transition,
        clock: Callable[[], float] = time.monotonic,
        state_store: ResilienceStateStore | None = None,
        owner: str = "",
        *,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        store_call: StoreCall = call_inline,
    ) -> None:
        self.chance = chance
        self._clock = clock
        self._now = now
        self._on_transition = on_transition
        self._state_store = state_store
        self._owner = owner
        self._asking = store_call
        self._lock = threading.Lock()
        self._breakers: dict[tuple[ResiliencePolicyConfig, str], Breaker] = {}
        self._limiters: dict[tuple[ResiliencePolicyConfig, str], Limiter] = {}

    def breaker(self, policy: ResiliencePolicyConfig, key: str) -> Breaker | None:
        """The breaker of `policy` for `key`; None when the policy has none."""
        config = policy.circuit_breaker
        if config is None:
            return None
        with self._lock:
            if (policy, key) not in self._breakers:
                self._breakers[policy, key] = self._new_breaker(policy, key, config)
            return self._breakers[policy, key]

    def _new_breaker(self, policy: ResiliencePolicyConfig, key: str, config: CircuitBreakerConfig) -> Breaker:
        if self._state_store is not None:
            place = CircuitKey(policy.name, key, self._owner)
            shared = SharedCircuit(self._state_store, place, config, policy.timeout_seconds, self._now)
            return Breaker(key, config, shared, store_call=self._asking)

        def moved(before: str, after: str) -> None:
            self._on_transition(policy.name, key, before, after)

        return Breaker(key, config, LocalCircuit(config, self._clock), moved)

    def limiter(self, policy: ResiliencePolicyConfig, key: str) -> Limiter | None:
        """The rate limit of `policy` for `key`; None when the policy has none."""
        rate = policy.rate_limit_per_second
        if rate is None:
            return None
        with self._lock:
            if (policy, key) not in self._limiters:
                place = CircuitKey(policy.name, key, self._owner)
                lease = leased_from(self._state_store, place, rate) if self._state_store is not None else None
                self._limiters[policy, key] = Limiter(rate, lease, self._asking)
            return self._limiters[policy, key]


SHARED = BreakerRegistry()
"""The registry of callers that bring none."""


@dataclass
class _Run(Generic[T]):
    """A call whose first attempt failed: what to do, until when, and what became of it; `failure` is that of the first attempt,
    until it is told."""

    function: Callable[[], Awaitable[T]]
    on_retry: OnRetry
    deadline: float
    failure: Exception | None
    attempts: int = 1
    out_of_time: bool = False


class ResilientCall:
    """Calls coroutine functions under a policy, from any task.

    `key` names what is called: calls of one policy and key share a breaker and a rate limit. `limited=False` leaves the rate
    limit out, for calls that stay on this machine.

    With `timed` an attempt that goes beyond its time-out is cancelled. This is for calls that wait for the network. Without it
    the time-out is not enforced: nothing can cancel a computation, so what hangs there is ended with its process once its batch
    is overdue.
    """

    def __init__(
        self,
        policy: ResiliencePolicyConfig,
        key: str,
        *,
        timed: bool = False,
        limited: bool = True,
        registry: BreakerRegistry = SHARED,
    ) -> None:
        self._policy = policy
        self._key = key
        self._timed = timed
        self._chance = registry.chance
        self._breaker = registry.breaker(policy, key)
        self._limiter = registry.limiter(policy, key) if limited else None

    def __repr__(self) -> str:
        return f"<ResilientCall {self._key} by {self._policy.name}: {self._breaker or 'no breaker'}>"

    async def call(self, function: Callable[[], Awaitable[T]], on_retry: OnRetry = _no_retry) -> T:
        """Call `function` until it succeeds or the policy gives up.

        Raises the last attempt's error, BreakerOpen, StageTimeout, or DeadlineExceeded. A DocumentError is raised at once.
        """
        seconds = self._policy.deadline_seconds
        deadline = math.inf if seconds is None else _time() + seconds
        try:
            return await self._attempt(function, deadline, 1)
        except Exception as error:
            if self._policy.max_attempts == 1 or not worth_retrying(error):
                raise
            run = _Run(function, on_retry, deadline, error)
        try:
            result: T = await self._retrying()(self._again, run)
            return result
        except Exception as error:
            if run.out_of_time and not isinstance(error, DeadlineExceeded):
                raise self._deadline_exceeded(run.attempts, error) from error
            raise

    def _retrying(self) -> AsyncRetrying:
        """What tries again: it costs more than most calls do, so it comes in when the first attempt has failed already."""
        return AsyncRetrying(
            retry=retry_if_exception(worth_retrying),
            wait=self._pause,
            stop=self._is_over,
            before_sleep=_announce,
            sleep=asyncio.sleep,
            reraise=True,
        )

    async def _again(self, run: _Run[T]) -> T:
        failure, run.failure = run.failure, None
        if failure is not None:
            raise failure
        run.attempts += 1
        return await self._attempt(run.function, run.deadline, run.attempts)

    async def _attempt(self, function: Callable[[], Awaitable[T]], deadline: float, attempt: int) -> T:
        if self._breaker is None:
            return await self._limited(function, deadline, attempt)
        return await self._breaker.call(lambda: self._limited(function, deadline, attempt))

    async def _limited(self, function: Callable[[], Awaitable[T]], deadline: float, attempt: int) -> T:
        if self._limiter is not None and not await self._limiter.acquire(deadline):
            raise self._deadline_exceeded(attempt, "the rate limit leaves no time for it")
        return await (self._within(function, deadline, attempt) if self._timed else function())

    async def _within(self, function: Callable[[], Awaitable[T]], deadline: float, attempt: int) -> T:
        left = deadline - _time()
        allowed = float(self._policy.timeout_seconds)
        scope = asyncio.timeout(max(min(allowed, left), 0.0))
        try:
            async with scope:
                return await function()
        except (TimeoutError, TimedOut) as error:
            if isinstance(error, TimeoutError) and not scope.expired():
                raise
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
        run.out_of_time = _time() + state.upcoming_sleep >= run.deadline
        return run.out_of_time


def _announce(state: RetryCallState) -> None:
    run: _Run[Any] = state.args[0]
    error = state.outcome.exception() if state.outcome else None
    if error is not None:
        run.on_retry(state.attempt_number, state.upcoming_sleep, error)


def _time() -> float:
    return asyncio.get_running_loop().time()
