"""The rate limit holds, for any pattern of asking, and never beyond what all processes together lease."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.models.circuits import RateLease
from medkg_lab.resilience.rate_limiter import BURST_S, Limiter
from tests.waiting import let_pass

from .samples import Clock, run

T = TypeVar("T")


def now() -> float:
    return asyncio.get_running_loop().time()


@given(st.floats(0.1, 100), st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=50))
def test_no_window_has_more_calls_than_the_rate_allows(rate: float, asks: list[tuple[float, float]]) -> None:
    clock = Clock()
    taken: list[float] = []

    async def ask() -> None:
        limiter = Limiter(rate)
        for passed, within in asks:
            await let_pass(passed)
            began = now()
            if await limiter.acquire(began + within):
                taken.append(now())
            assert now() <= began + within + 1e-6

    run(ask(), clock)
    burst = max(1.0, rate * BURST_S)
    for first, begin in enumerate(taken):
        for count, end in enumerate(taken[first:], 1):
            assert count <= burst + (end - begin) * rate + 1e-3


def test_an_idle_limit_answers_at_once_and_a_used_one_in_turn() -> None:
    clock = Clock()
    order: list[int] = []

    async def ask(limiter: Limiter, number: int) -> None:
        assert await limiter.acquire()
        order.append(number)

    async def all_of_them() -> None:
        limiter = Limiter(0.5)
        assert await limiter.acquire(now())
        assert not await limiter.acquire(now() + 1)
        await asyncio.gather(*(ask(limiter, number) for number in range(4)))

    run(all_of_them(), clock)
    assert order == [0, 1, 2, 3]
    assert round(clock.now(), 3) == 1008.0


class Ledger:
    """Leases calls as it is told; None stands for no answer."""

    def __init__(self, *grants: int | None) -> None:
        self.grants = list(grants)
        self.asked = 0
        self.wanted: list[int] = []

    def __call__(self, want: int) -> RateLease | None:
        self.asked += 1
        self.wanted.append(want)
        granted = self.grants.pop(0) if self.grants else 0
        return None if granted is None else RateLease(granted=granted, wait_s=0.0 if granted else 1.0)


def test_calls_are_leased_a_few_at_once_and_waited_for() -> None:
    clock = Clock()
    ledger = Ledger(3, 0, 0, 1)

    async def ask() -> list[float]:
        limiter = Limiter(100.0, ledger)
        moments = []
        for _ in range(4):
            assert await limiter.acquire()
            moments.append(round(now(), 3))
        assert not await limiter.acquire(now() + 0.5)
        return moments

    assert run(ask(), clock) == [0.0, 0.0, 0.0, 2.0]
    assert ledger.asked == 5


def test_as_many_are_leased_as_wait_and_no_more_than_a_burst() -> None:
    clock = Clock()
    ledger = Ledger(10, 50, 5)

    async def beside_others(question: Callable[[], T]) -> T:
        await asyncio.sleep(0)
        return question()

    async def ask() -> None:
        limiter = Limiter(100.0, ledger, beside_others)
        await asyncio.gather(*(limiter.acquire() for _ in range(65)))

    run(ask(), clock)
    assert ledger.wanted == [10, 50, 10]


def test_while_nobody_leases_the_own_bucket_is_the_limit() -> None:
    clock = Clock()

    async def ask() -> list[float]:
        limiter = Limiter(0.5, Ledger(*[None] * 3))
        return [now() for _ in range(3) if await limiter.acquire()]

    moments = run(ask(), clock)
    assert [round(later - earlier, 3) for earlier, later in pairwise(moments)] == [2.0, 2.0]
