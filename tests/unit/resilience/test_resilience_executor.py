"""A call under a policy: what is retried, counted, limited, timed, and what is raised in the end."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.resilience.errors import BreakerOpen, DeadlineExceeded, StageTimeout
from medkg_lab.resilience.policies import ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry, ResilientCall
from tests.waiting import let_pass

from .samples import BREAKER, Clock, call, policy, run


class Script:
    """Raises or returns what it is told, call by call; the last entry repeats."""

    def __init__(self, *outcomes: Any, clock: Clock | None = None, lasts: float = 0.0) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0
        self.clock = clock
        self.lasts = lasts

    def __call__(self) -> Any:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if self.clock:
            self.clock.sleep(self.lasts)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Called:
    """A call under a policy, in the time of a bench's clock."""

    def __init__(self, bench: "Bench", made: ResilientCall) -> None:
        self._bench = bench
        self.made = made

    def call(self, function: Callable[[], Any]) -> Any:
        return call(self.made, function, self._bench.on_retry, clock=self._bench.clock)


class Bench:
    """Calls with a clock of their own; keeps retries and transitions."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.retries: list[tuple[int, float, str]] = []
        self.moves: list[tuple[str, str, str, str]] = []
        self.registry = BreakerRegistry(lambda *move: self.moves.append(move), self.clock.now, chance=lambda: 0.0)

    def make(self, chosen: ResiliencePolicyConfig, key: str = "embed", **options: Any) -> Called:
        return Called(self, ResilientCall(chosen, key, registry=self.registry, **options))

    def on_retry(self, attempt: int, delay: float, error: BaseException) -> None:
        self.retries.append((attempt, delay, type(error).__name__))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def down() -> ServiceError:
    return ServiceError(detail="down")


def test_a_call_that_succeeds(bench: Bench) -> None:
    script = Script("done")
    assert bench.make(policy(circuit_breaker=BREAKER)).call(script) == "done"
    assert (script.calls, bench.retries, bench.clock.slept) == (1, [], [])


@pytest.mark.parametrize("error", [down(), ConnectionError("refused"), TimeoutError(), RuntimeError("odd")])
def test_it_tries_again_until_it_succeeds(bench: Bench, error: Exception) -> None:
    script = Script(error, error, "done")
    assert bench.make(policy()).call(script) == "done"
    name = type(error).__name__
    assert bench.retries == [(1, 1.0, name), (2, 2.0, name)]
    assert bench.clock.slept == [1.0, 2.0]


def test_the_last_error_is_raised_when_the_tries_are_spent(bench: Bench) -> None:
    last = ServiceError(detail="third")
    script = Script(ServiceError(detail="first"), ServiceError(detail="second"), last)
    with pytest.raises(ServiceError) as caught:
        bench.make(policy()).call(script)
    assert caught.value is last
    assert script.calls == 3


@pytest.mark.parametrize("error", [DocumentError(detail="bad"), LabError(detail="wrong option"), KeyboardInterrupt()])
def test_what_is_not_tried_again(bench: Bench, error: BaseException) -> None:
    script = Script(error)
    with pytest.raises(type(error)) as caught:
        bench.make(policy(circuit_breaker=BREAKER)).call(script)
    assert caught.value is error
    assert (script.calls, bench.retries) == (1, [])


@pytest.mark.parametrize("error", [DocumentError(detail="bad"), RuntimeError("odd")])
def test_what_no_breaker_counts(bench: Bench, error: Exception) -> None:
    call = bench.make(policy(circuit_breaker=BREAKER))
    for _ in range(2):
        with pytest.raises(ServiceError):
            bench.make(policy(circuit_breaker=BREAKER, max_attempts=1)).call(Script(down()))
    for _ in range(5):
        with pytest.raises(type(error)):
            call.call(Script(error))
    assert bench.moves == []


def test_each_attempt_is_counted_and_an_open_breaker_ends_the_retries(bench: Bench) -> None:
    chosen = policy(max_attempts=10, circuit_breaker=BREAKER)
    script = Script(down())
    with pytest.raises(BreakerOpen) as caught:
        bench.make(chosen).call(script)
    assert script.calls == 3
    assert caught.value.failure_kind == "breaker_open"
    assert bench.moves == [("sample", "embed", "closed", "open")]


def test_breakers_belong_to_policy_and_key(bench: Bench) -> None:
    chosen = policy(circuit_breaker=BREAKER)
    with pytest.raises(ServiceError):
        bench.make(chosen).call(Script(down()))
    with pytest.raises(BreakerOpen):
        bench.make(chosen).call(Script("done"))
    assert bench.make(chosen, "index").call(Script("done")) == "done"
    assert bench.make(policy(name="other", circuit_breaker=BREAKER)).call(Script("done")) == "done"
    bench.clock.sleep(60)
    assert bench.make(chosen).call(Script("done")) == "done"
    assert [move[2:] for move in bench.moves] == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_the_rate_limit_spaces_attempts_of_all_callers(bench: Bench) -> None:
    chosen = policy(rate_limit_per_second=0.5, backoff_strategy="none")
    bench.make(chosen).call(Script(down(), "done"))
    bench.make(chosen).call(Script("done"))
    assert [wait for wait in bench.clock.slept if wait] == [2.0, 2.0]
    bench.make(chosen, limited=False).call(Script("done"))
    bench.make(chosen, "other").call(Script("done"))
    assert [wait for wait in bench.clock.slept if wait] == [2.0, 2.0]


def test_an_open_breaker_takes_no_slot_of_the_rate_limit(bench: Bench) -> None:
    chosen = policy(rate_limit_per_second=0.1, circuit_breaker=BREAKER, backoff_strategy="none")
    call = bench.make(chosen)
    with pytest.raises(ServiceError):
        call.call(Script(down()))
    for _ in range(20):
        with pytest.raises(BreakerOpen):
            call.call(Script("done"))
    bench.clock.sleep(60)
    bench.clock.slept.clear()
    call.call(Script("done"))
    assert bench.clock.slept == []


def test_a_deadline_ends_the_retries(bench: Bench) -> None:
    chosen = policy(max_attempts=10, deadline_seconds=8.0)
    script = Script(down(), clock=bench.clock, lasts=3.0)
    with pytest.raises(DeadlineExceeded, match=r"8\.0 s, in 2 attempt") as caught:
        bench.make(chosen).call(script)
    assert script.calls == 2
    assert isinstance(caught.value.__cause__, ServiceError)
    assert caught.value.failure_kind == "timeout"


def test_a_deadline_that_the_rate_limit_would_pass(bench: Bench) -> None:
    chosen = policy(rate_limit_per_second=0.1, deadline_seconds=5.0, circuit_breaker=BREAKER, max_attempts=1)
    call = bench.make(chosen)
    call.call(Script("done"))
    script = Script("done")
    with pytest.raises(DeadlineExceeded, match="rate limit"):
        call.call(script)
    assert script.calls == 0
    assert bench.moves == []
    bench.clock.sleep(10)
    assert call.call(Script("done")) == "done"


@given(st.lists(st.sampled_from(["ok", "service", "document", "unknown"]), min_size=1, max_size=12), st.integers(1, 10))
def test_attempts_stop_at_the_first_success_or_final_error(outcomes: list[str], attempts: int) -> None:
    errors = {"service": down(), "document": DocumentError(detail="bad"), "unknown": KeyError("x")}
    script = Script(*(errors.get(outcome, "done") for outcome in outcomes))
    endless = outcomes + [outcomes[-1]] * 10
    ends = [place for place, outcome in enumerate(endless[:attempts]) if outcome in ("ok", "document")]
    expected = ends[0] if ends else attempts - 1
    bench = Bench()
    call = bench.make(policy(max_attempts=attempts))
    if endless[expected] == "ok":
        assert call.call(script) == "done"
    else:
        with pytest.raises(type(errors[endless[expected]])):
            call.call(script)
    assert script.calls == expected + 1
    assert len(bench.retries) == expected


class Hanging:
    """A service that never answers; counts those who gave it up."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def __call__(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def wait_for(bench: Bench, made: Called, service: Callable[[], Awaitable[Any]]) -> Any:
    return run(made.made.call(service, bench.on_retry), bench.clock)


def test_a_call_that_hangs_is_cancelled_and_counted(bench: Bench) -> None:
    chosen = policy(circuit_breaker=BREAKER, max_attempts=10, backoff_strategy="none")
    service = Hanging()
    with pytest.raises(BreakerOpen):
        wait_for(bench, bench.make(chosen, timed=True), service)
    assert [name for _, _, name in bench.retries] == ["StageTimeout"] * 3
    assert bench.moves == [("sample", "embed", "closed", "open")]
    assert (service.cancelled, round(bench.clock.now(), 3)) == (3, 1015.0)


def test_a_timeout_says_which_policy_to_change(bench: Bench) -> None:
    with pytest.raises(StageTimeout, match=r"5\.0 s\. Raise timeout_seconds of the policy 'sample'") as caught:
        wait_for(bench, bench.make(policy(max_attempts=1), timed=True), Hanging())
    assert caught.value.failure_kind == "timeout"


def test_a_deadline_cuts_an_attempt_without_blaming_the_service(bench: Bench) -> None:
    chosen = policy(circuit_breaker=BREAKER, max_attempts=9, deadline_seconds=8, backoff_strategy="none")
    made = bench.make(chosen, timed=True)

    def service() -> Callable[[], Awaitable[None]]:
        calls: list[int] = []

        async def slow() -> None:
            calls.append(1)
            await let_pass(4.0)
            if len(calls) == 1:
                raise RuntimeError("odd")
            await asyncio.Event().wait()

        return slow

    for _ in range(4):
        with pytest.raises(DeadlineExceeded, match="no answer yet"):
            wait_for(bench, made, service())
    assert bench.moves == []


def test_a_time_out_of_the_service_s_own_is_its_error(bench: Bench) -> None:
    with pytest.raises(TimeoutError):
        bench.make(policy(max_attempts=1), timed=True).call(Script(TimeoutError()))


def test_calls_run_beside_each_other_and_end_by_themselves(bench: Bench) -> None:
    made = bench.make(policy(max_attempts=1, circuit_breaker=BREAKER)).made
    together = asyncio.Barrier(4)

    async def meet() -> None:
        await together.wait()

    async def all_of_them() -> None:
        await asyncio.gather(*(made.call(meet) for _ in range(4)))

    run(all_of_them(), bench.clock)
    assert bench.clock.slept == []


def test_threads_share_a_call(bench: Bench) -> None:
    made = bench.make(policy(max_attempts=3, circuit_breaker=BREAKER, backoff_strategy="none")).made
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(call(made, Script(RuntimeError(), "done")))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == ["done"] * 8


def test_the_default_registry_is_shared() -> None:
    chosen = policy(name="shared-default", circuit_breaker=BREAKER, max_attempts=3, backoff_strategy="none")
    with pytest.raises(ServiceError):
        call(ResilientCall(chosen, "k"), Script(down()))
    with pytest.raises(BreakerOpen):
        call(ResilientCall(chosen, "k"), Script("done"))
    assert "open" in repr(ResilientCall(chosen, "k"))
