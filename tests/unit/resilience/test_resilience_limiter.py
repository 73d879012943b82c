"""The rate limit holds, for any pattern of asking."""

import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.resilience.limiter import Limiter

from .samples import Clock


@given(st.floats(0.1, 100), st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=50))
def test_slots_are_spaced_and_never_later_than_asked(rate: float, asks: list[tuple[float, float]]) -> None:
    clock = Clock()
    limiter = Limiter(rate, clock)
    slots: list[float] = []
    for passed, within in asks:
        clock.now += passed
        wait = limiter.reserve(within)
        if wait is None:
            assert slots
            assert slots[-1] + 1 / rate - clock.now > within
        else:
            assert 0 <= wait <= within
            slots.append(clock.now + wait)
    assert all(later - earlier >= 1 / rate - 1e-6 for earlier, later in pairwise(slots))


def test_an_idle_limit_answers_at_once() -> None:
    clock = Clock()
    limiter = Limiter(0.1, clock)
    assert limiter.reserve(0) == 0
    assert limiter.reserve(9.9) is None
    assert limiter.reserve(10) == 10
    clock.now += 25
    assert limiter.reserve(0) == 0


def test_threads_share_one_rate() -> None:
    limiter = Limiter(10, Clock())
    waits: list[float | None] = []
    threads = [threading.Thread(target=lambda: waits.append(limiter.reserve(100))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [round(wait, 6) for wait in sorted(wait for wait in waits if wait is not None)] == [n / 10 for n in range(8)]
