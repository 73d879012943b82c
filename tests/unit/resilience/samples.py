"""A clock that moves when it is told to, and policies to change."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import Any, Protocol, TypeVar

from medkg_lab.repro.virtual_time import VirtualClock, VirtualLoop
from medkg_lab.resilience.policies import ResiliencePolicyConfig

T = TypeVar("T")
POLICY = ResiliencePolicyConfig(
    name="sample",
    max_attempts=3,
    backoff_strategy="exponential",
    backoff_initial_seconds=1.0,
    backoff_max_seconds=10.0,
    timeout_seconds=5,
)
BREAKER = {"failure_threshold": 3, "reset_timeout_seconds": 60}


def policy(**changes: Any) -> ResiliencePolicyConfig:
    """The sample policy with other values, validated."""
    return ResiliencePolicyConfig.model_validate({**POLICY.model_dump(), **changes})


class Clock(VirtualClock):
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        super().__init__(1000.0)
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        super().sleep(seconds)

    @cached_property
    def loop(self) -> VirtualLoop:
        """The loop that goes by this clock."""
        return VirtualLoop(self)


class Called(Protocol):
    """A breaker or a call under a policy."""

    async def call(self, function: Callable[[], Awaitable[T]], *more: Any) -> T: ...


def call(made: Called, function: Callable[[], T], *more: Any, clock: Clock | None = None) -> T:
    """Call a plain function, in an event loop of its own; with a `clock` in its time."""

    async def plain() -> T:
        return function()

    if clock is None:
        return asyncio.run(made.call(plain, *more))
    return run(made.call(plain, *more), clock)


def run(coroutine: Coroutine[Any, Any, T], clock: Clock) -> T:
    """Run a coroutine in the time of `clock`."""
    return clock.loop.run_until_complete(coroutine)
