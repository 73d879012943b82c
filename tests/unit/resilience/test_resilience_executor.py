"""A call under a policy: what is retried, counted, limited, timed, and what is raised in the end."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.resilience.errors import BreakerOpen, DeadlineExceeded, StageTimeout
from medkg_lab.resilience.executor import BreakerRegistry, ResilientCall
from medkg_lab.resilience.policies import ResiliencePolicyConfig

from .samples import BREAKER, Clock, policy

FOREVER = 30.0


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
            self.clock.now += self.lasts
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Bench:
    """Calls with a clock of their own; keeps retries and transitions."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.retries: list[tuple[int, float, str]] = []
        self.moves: list[tuple[str, str, str, str]] = []
        self.registry = BreakerRegistry(lambda *move: self.moves.append(move), self.clock)

    def make(self, chosen: ResiliencePolicyConfig, key: str = "embed", **options: Any) -> ResilientCall:
        def on_retry(attempt: int, delay: float, error: BaseException) -> None:
            self.retries.append((attempt, delay, type(error).__name__))

        return ResilientCall(
            chosen, key, on_retry, registry=self.registry, sleep=self.clock.sleep, chance=lambda: 0.0, **options
        )


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
    bench.clock.now += 60
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
    bench.clock.now += 60
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
    for _ in range(5):
        script = Script("done")
        with pytest.raises(DeadlineExceeded, match="rate limit"):
            call.call(script)
        assert script.calls == 0
    assert bench.moves == []
    bench.clock.now += 10
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


def hang(release: threading.Event) -> Callable[[], bool]:
    return lambda: release.wait(FOREVER)


def short(chosen: ResiliencePolicyConfig, **seconds: float) -> ResiliencePolicyConfig:
    """Shorter times than a policy may have, so that tests do not wait."""
    return chosen.model_copy(update=seconds)


def test_an_isolated_call_that_hangs_is_timed_out_counted_and_left_behind(bench: Bench) -> None:
    release = threading.Event()
    chosen = short(policy(circuit_breaker=BREAKER, max_attempts=10, backoff_strategy="none"), timeout_seconds=0.02)
    call = bench.make(chosen, isolate=True)
    with pytest.raises(BreakerOpen):
        call.call(hang(release))
    assert [name for _, _, name in bench.retries] == ["StageTimeout"] * 3
    assert bench.moves == [("sample", "embed", "closed", "open")]
    left = [thread for thread in threading.enumerate() if thread.name == "call embed"]
    assert len(left) == 3
    assert all(thread.daemon for thread in left)
    release.set()
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)


def test_a_timeout_says_which_policy_to_change(bench: Bench) -> None:
    release = threading.Event()
    with pytest.raises(StageTimeout, match=r"0\.02 s\. Raise timeout_seconds of the policy 'sample'") as caught:
        bench.make(short(policy(max_attempts=1), timeout_seconds=0.02), isolate=True).call(hang(release))
    assert caught.value.failure_kind == "timeout"
    release.set()


def test_a_deadline_cuts_an_isolated_attempt_without_blaming_the_service(bench: Bench) -> None:
    release = threading.Event()
    chosen = short(policy(circuit_breaker=BREAKER, max_attempts=3), deadline_seconds=0.02)
    call = bench.make(chosen, isolate=True)
    for _ in range(4):
        with pytest.raises(DeadlineExceeded, match="no answer yet"):
            call.call(hang(release))
    assert (bench.retries, bench.moves) == ([], [])
    release.set()


def test_an_isolated_call_gives_what_it_returns_and_raises(bench: Bench) -> None:
    call = bench.make(policy(max_attempts=1), isolate=True)
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("seen")
    assert call.call(variable.get) == "seen"
    assert call.call(threading.current_thread) is not threading.current_thread()
    error = DocumentError(detail="bad")
    with pytest.raises(DocumentError) as caught:
        call.call(Script(error))
    assert caught.value is error


def test_a_call_that_is_not_isolated_runs_in_the_callers_thread(bench: Bench) -> None:
    assert bench.make(policy()).call(threading.current_thread) is threading.current_thread()


def test_threads_share_a_call(bench: Bench) -> None:
    call = bench.make(policy(max_attempts=3, circuit_breaker=BREAKER, backoff_strategy="none"))
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(call.call(Script(RuntimeError(), "done")))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == ["done"] * 8


def test_the_default_registry_is_shared() -> None:
    chosen = policy(name="shared-default", circuit_breaker=BREAKER, max_attempts=3, backoff_strategy="none")
    with pytest.raises(ServiceError):
        ResilientCall(chosen, "k").call(Script(down()))
    with pytest.raises(BreakerOpen):
        ResilientCall(chosen, "k").call(Script("done"))
    assert "open" in repr(ResilientCall(chosen, "k"))
