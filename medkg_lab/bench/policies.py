"""What a policy costs while nothing fails: the same stage called by itself, and under retry, breaker, rate limit and deadline."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from medkg_lab.bench.figures import Part, at_most, spread
from medkg_lab.resilience.policies import BackoffStrategy, CircuitBreakerConfig, ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry, ResilientCall

SHARE = 0.01
CALLS, ROUNDS = 20_000, 5
POLICY = ResiliencePolicyConfig(
    name="measured",
    max_attempts=3,
    backoff_strategy=BackoffStrategy.EXPONENTIAL,
    timeout_seconds=60,
    deadline_seconds=600.0,
    circuit_breaker=CircuitBreakerConfig(failure_threshold=5, reset_timeout_seconds=60),
)


class _NoStateStore:
    """A keeper of shared state that must not be asked while all is well."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a closed circuit asked for {name}")


def policies_part(work_ms: float) -> Part:
    """Microseconds that the policy adds to a call, and their share of a call of `work_ms`."""
    registry = BreakerRegistry(state_store=_NoStateStore(), owner="bench")
    call = ResilientCall(POLICY, "bench", registry=registry)
    bare, under = [], []
    for _ in range(ROUNDS):
        bare.append(asyncio.run(_microseconds(_nothing)))
        under.append(asyncio.run(_microseconds(lambda: call.call(_nothing))))
    added = [with_ - without for without, with_ in zip(bare, under, strict=True)]
    share = statistics.median(added) / (max(work_ms, 1.0) * 1e3)
    detail = {"added_us_per_call": spread(added), "of_a_call_of_ms": max(work_ms, 1.0), "share": round(share, 5)}
    return Part([at_most("policy on the healthy path, share of a stage", round(share, 4), SHARE)], detail)


async def _nothing() -> None:
    return


async def _microseconds(function: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        await function()
    return (time.perf_counter() - began) / CALLS * 1e6
