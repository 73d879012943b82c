"""Breakers against a model, and with threads."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError, ServiceError
from medkg_lab.resilience.breaker import Breaker
from medkg_lab.resilience.circuit_storage import LocalCircuit
from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.policies import CircuitBreakerConfig

from .samples import Clock, call

CONFIG = CircuitBreakerConfig(failure_threshold=3, reset_timeout_seconds=60)


def make(clock: Clock | None = None) -> tuple[Breaker, list[tuple[str, str]]]:
    moves: list[tuple[str, str]] = []
    storage = LocalCircuit(CONFIG, (clock or Clock()).now)
    return Breaker("service", CONFIG, storage, lambda before, after: moves.append((before, after))), moves


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def fail(breaker: Breaker, error: BaseException | None = None) -> None:
    error = error or ServiceError(detail="down")
    with pytest.raises(type(error)):
        call(breaker, failing(error))


@given(st.lists(st.sampled_from(["ok", "fail", "document", "unknown", "wait"]), max_size=40))
def test_it_follows_the_state_machine(steps: list[str]) -> None:
    clock = Clock()
    breaker, moves = make(clock)
    state, failures, opened = "closed", 0, 0.0
    expected: list[tuple[str, str]] = []
    errors = {"fail": ConnectionError(), "document": DocumentError(detail="bad"), "unknown": KeyError()}
    for step in steps:
        if step == "wait":
            clock.sleep(31)
            continue
        if state == "open" and clock.now() < opened + 60:
            with pytest.raises(BreakerOpen):
                call(breaker, lambda: None)
            continue
        if state == "open":
            expected.append(("open", "half-open"))
            state = "half-open"
        if step == "ok":
            call(breaker, lambda: None)
            failures = 0
            if state == "half-open":
                expected.append((state, "closed"))
                state = "closed"
        else:
            fail(breaker, errors[step])
        failures += step == "fail"
        if step == "fail" and (state == "half-open" or failures == 3):
            expected.append((state, "open"))
            state, opened = "open", clock.now()
        assert breaker.state == state
    assert moves == expected


def test_it_says_when_it_will_try_again() -> None:
    clock = Clock()
    breaker, _ = make(clock)
    for _ in range(3):
        fail(breaker)
    clock.sleep(20)
    with pytest.raises(BreakerOpen, match="another 40 s because it failed 3 times") as caught:
        call(breaker, lambda: None)
    assert caught.value.fields["seconds"] == 40
    assert caught.value.failure_kind == "breaker_open"
    assert "open" in repr(breaker)


def test_the_services_own_error_is_raised_when_it_trips() -> None:
    breaker, _ = make()
    error = ConnectionError("refused")
    for _ in range(3):
        with pytest.raises(ConnectionError) as caught:
            call(breaker, failing(error))
        assert caught.value is error


def test_an_interrupt_counts_for_nothing() -> None:
    breaker, _ = make()
    for _ in range(5):
        fail(breaker, KeyboardInterrupt())
    assert breaker.state == "closed"


def test_a_probe_that_says_nothing_lets_the_next_one_through() -> None:
    clock = Clock()
    breaker, moves = make(clock)
    for _ in range(3):
        fail(breaker)
    clock.sleep(60)
    fail(breaker, DocumentError(detail="bad"))
    assert breaker.state == "half-open"
    call(breaker, lambda: None)
    assert moves == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_only_one_probe_at_a_time() -> None:
    clock = Clock()
    breaker, _ = make(clock)
    for _ in range(3):
        fail(breaker)
    clock.sleep(60)
    inside, leave = threading.Event(), threading.Event()

    def probe() -> None:
        inside.set()
        assert leave.wait(10)

    thread = threading.Thread(target=call, args=(breaker, probe))
    thread.start()
    assert inside.wait(10)
    for _ in range(5):
        with pytest.raises(BreakerOpen):
            call(breaker, lambda: None)
    leave.set()
    thread.join(10)
    assert breaker.state == "closed"


def test_calls_run_beside_each_other() -> None:
    breaker, _ = make()
    together = threading.Barrier(4)
    threads = [threading.Thread(target=call, args=(breaker, lambda: together.wait(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not together.broken
    assert breaker.state == "closed"


def test_a_call_from_before_the_trip_does_not_close_the_circuit() -> None:
    clock = Clock()
    breaker, moves = make(clock)
    inside, leave = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        assert leave.wait(10)

    thread = threading.Thread(target=call, args=(breaker, slow))
    thread.start()
    assert inside.wait(10)
    for _ in range(3):
        fail(breaker)
    clock.sleep(60)
    fail(breaker, DocumentError(detail="bad"))
    leave.set()
    thread.join(10)
    assert breaker.state == "half-open"
    assert moves == [("closed", "open"), ("open", "half-open")]
