"""Calling stages for batches: every document gets the outcome that is its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.engine.stage_calls import IN_FLIGHT, StageCalls, StageOutcome
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.models.submission import Submission
from medkg_lab.repro.virtual_time import VirtualClock, VirtualLoops
from medkg_lab.resilience.errors import StageTimeout
from medkg_lab.resilience.policies import BackoffStrategy, CircuitBreakerConfig, ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import Lane, StageType
from medkg_lab.stages.registry import Implementation
from tests.http_service import Answer, Asked, http_service
from tests.waiting import let_pass, wait_until


def policy(attempts: int = 1, breaker: CircuitBreakerConfig | None = None) -> ResiliencePolicyConfig:
    return ResiliencePolicyConfig(
        name="test",
        max_attempts=attempts,
        backoff_strategy=BackoffStrategy.NONE,
        timeout_seconds=30,
        circuit_breaker=breaker,
    )


def run(
    stage: Any,
    items: Sequence[Any],
    rules: ResiliencePolicyConfig | None = None,
    on_retry: Callable[..., None] | None = None,
) -> list[StageOutcome]:
    # Breakers are shared by name and key: each call here is of another implementation.
    built = BuiltStage(stage, Implementation(f"x{id(stage)}", StageType.EMBED, "", lambda resources, options: stage))
    calls = StageCalls(built, rules or policy(), True, on_retry or (lambda *_: None), BreakerRegistry())
    contexts: list[Any] = [None] * len(items)
    return asyncio.run(calls.run(contexts, items))


class Poisoned:
    """A batch stage whose call fails when one of the guilty is in it."""

    def __init__(self, guilty: set[int]) -> None:
        self.guilty = guilty
        self.calls: list[list[int]] = []

    def execute_many(self, contexts: Sequence[Any], items: Sequence[int]) -> Sequence[Any]:
        self.calls.append(list(items))
        if self.guilty & set(items):
            raise ValueError("poison")
        return [item * 2 for item in items]


@given(st.integers(1, 48).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=4))))
@settings(max_examples=60, deadline=None)
def test_only_the_guilty_documents_fail(given_: tuple[int, set[int]]) -> None:
    number, guilty = given_
    stage = Poisoned(guilty)
    outcomes = run(stage, list(range(number)))
    assert [outcome.value for outcome in outcomes] == [None if n in guilty else n * 2 for n in range(number)]
    assert {n for n, outcome in enumerate(outcomes) if outcome.error is not None} == guilty
    assert len(stage.calls) <= 1 + 2 * len(guilty) * number.bit_length()


def test_a_stage_without_a_batch_call_runs_one_by_one() -> None:
    class Single:
        def execute(self, context: Any, item: int) -> int:
            if item == 1:
                raise DocumentError(detail="bad")
            return item

    outcomes = run(Single(), [0, 1, 2])
    assert [outcome.value for outcome in outcomes] == [0, None, 2]
    assert isinstance(outcomes[1].error, DocumentError)


def test_an_outcome_that_is_an_error_stands_for_its_document_alone() -> None:
    class Choosy:
        def execute_many(self, contexts: Sequence[Any], items: Sequence[int]) -> Sequence[int | LabError]:
            return [DocumentError(detail="bad") if item == 1 else item for item in items]

    assert [outcome.error is None for outcome in run(Choosy(), [0, 1, 2])] == [True, False, True]


def test_a_document_whose_service_failed_is_tried_again_alone() -> None:
    class Shaky:
        def __init__(self) -> None:
            self.calls: list[list[int]] = []

        def execute_many(self, contexts: Sequence[Any], items: Sequence[int]) -> Sequence[int | LabError]:
            self.calls.append(list(items))
            first = len(self.calls) <= 2
            return [ServiceError(detail="busy") if item == 1 and first else item for item in items]

    stage = Shaky()
    retries: list[Any] = []
    outcomes = run(stage, [0, 1, 2], policy(attempts=3), lambda *given_: retries.append(given_))
    assert [outcome.value for outcome in outcomes] == [0, 1, 2]
    assert stage.calls == [[0, 1, 2], [1], [1]]
    assert [(list(places), attempt) for places, attempt, _, _ in retries] == [([1], 1)]


def test_an_answer_of_the_wrong_length_is_an_error_and_not_a_mix_up() -> None:
    class Short:
        def execute_many(self, contexts: Sequence[Any], items: Sequence[int]) -> Sequence[int]:
            return list(items)[:-1]

    assert [type(outcome.error).__name__ for outcome in run(Short(), [0, 1])] == ["WrongOutcomes", "WrongOutcomes"]


def test_an_open_breaker_ends_the_halving() -> None:
    class Away:
        def __init__(self) -> None:
            self.calls = 0

        def execute_many(self, contexts: Sequence[Any], items: Sequence[int]) -> Sequence[int]:
            self.calls += 1
            raise ServiceError(detail="away")

    stage = Away()
    breaker = CircuitBreakerConfig(failure_threshold=3, reset_timeout_seconds=30)
    outcomes = run(stage, list(range(48)), policy(breaker=breaker))
    assert stage.calls == 3
    assert len(outcomes) == 48
    assert {getattr(outcome.error, "failure_kind", None) for outcome in outcomes} <= {"breaker_open", "service"}


def test_a_stage_that_takes_documents_one_by_one_says_at_which_it_is() -> None:
    seen: list[int | None] = []

    class Alone:
        def execute(self, context: Any, item: int) -> int:
            assert seen[-1] == item
            return item

    stage: Any = Alone()
    built = BuiltStage(stage, Implementation("alone", StageType.CHUNK, "", lambda resources, options: stage))
    calls = StageCalls(built, policy(), True, lambda *_: None, BreakerRegistry(), seen.append)
    contexts: list[Any] = [None] * 3
    assert [outcome.value for outcome in asyncio.run(calls.run(contexts, [0, 1, 2]))] == [0, 1, 2]
    assert seen == [0, 1, 2]


def over_the_network(
    stage: Any, rules: ResiliencePolicyConfig, count: int, loops: Any, threads: bool = True
) -> list[StageOutcome]:
    """What becomes of `count` documents in a stage of the network lane."""
    made = Implementation("waiting", StageType.KG, "", lambda resources, options: stage, lane=Lane.NETWORK)
    registry = BreakerRegistry(clock=loops.clock.now) if isinstance(loops, InVirtualTime) else BreakerRegistry()
    calls = StageCalls(BuiltStage(stage, made), rules, False, lambda *_: None, registry, threads=threads)
    outcomes: list[StageOutcome] = loops.run(calls.run([None] * count, list(range(count))))  # type: ignore[list-item]
    return outcomes


class InVirtualTime:
    """Runs calls in the time of a clock of their own."""

    def __init__(self) -> None:
        self.clock = VirtualClock(0.0)

    def run(self, calls: Coroutine[Any, Any, Any]) -> Any:
        loops = VirtualLoops(self.clock)
        try:
            return loops.run(None, calls)
        finally:
            loops.close()


def test_as_many_documents_wait_at_once_as_may_be_in_flight() -> None:
    """None of them gets an answer before all of them have asked; one more than that never asks beside them."""
    under_way: list[int] = []
    most: list[int] = []

    class Waiting:
        def __init__(self) -> None:
            self.all_here = asyncio.Barrier(IN_FLIGHT)

        async def execute(self, context: Any, item: int) -> int:
            under_way.append(item)
            most.append(len(under_way))
            await self.all_here.wait()
            under_way.remove(item)
            return item

    time_ = InVirtualTime()
    outcomes = over_the_network(Waiting(), policy(), 3 * IN_FLIGHT, time_)
    assert [outcome.value for outcome in outcomes] == list(range(3 * IN_FLIGHT))
    assert max(most) == IN_FLIGHT
    assert time_.clock.now() == 0.0


def test_requests_of_a_batch_are_at_the_server_together() -> None:
    together = threading.Barrier(8)

    class StoreCall:
        async def execute(self, context: Any, item: int) -> bytes:
            url = f"{service.url}/{item}"
            answer = await http.request_async("GET", url, timeout=20, max_bytes=100, endpoint=True)
            return answer.body

    def answer(asked: Asked) -> Answer:
        together.wait(20)
        return Answer(asked.path.encode())

    with http_service() as service, HttpxClient() as http:
        service.answers = {f"/{number}": answer for number in range(8)}
        outcomes = over_the_network(StoreCall(), policy(), 8, asyncio.Runner())
    assert [outcome.value for outcome in outcomes] == [f"/{number}".encode() for number in range(8)]


def test_a_call_that_hangs_is_cancelled_and_holds_up_no_other() -> None:
    cancelled: list[int] = []

    class Hanging:
        async def execute(self, context: Any, item: int) -> int:
            try:
                await (asyncio.Event().wait() if item % 2 else let_pass(1))
            except asyncio.CancelledError:
                cancelled.append(item)
                raise
            return item

    time_ = InVirtualTime()
    threads = threading.active_count()
    outcomes = over_the_network(Hanging(), policy(), 6, time_)
    assert [outcome.value for outcome in outcomes] == [0, None, 2, None, 4, None]
    assert {type(outcome.error) for outcome in outcomes[1::2]} == {StageTimeout}
    assert (sorted(cancelled), threading.active_count()) == ([1, 3, 5], threads)
    assert round(time_.clock.now(), 3) == 30


def test_a_stage_that_blocks_is_called_apart_and_left_behind_when_it_hangs() -> None:
    release = threading.Event()

    class Blocking:
        def execute(self, context: Any, item: int) -> int:
            assert threading.current_thread() is not caller
            if item == 1:
                release.wait(30)
            return item

    caller = threading.current_thread()
    rules = policy().model_copy(update={"timeout_seconds": 0.05})
    outcomes = over_the_network(Blocking(), rules, 3, asyncio.Runner())
    assert [outcome.value for outcome in outcomes] == [0, None, 2]
    assert isinstance(outcomes[1].error, StageTimeout)

    def left() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "call waiting"]

    wait_until(lambda: len(left()) == 1, 10, "the call that hangs alone is left")
    assert left()[0].daemon
    release.set()
    wait_until(lambda: not left(), 10, "it ends by itself")


def test_documents_of_a_slow_source_wait_for_its_rate_and_others_do_not() -> None:
    moments: dict[str, list[float]] = {"slow": [], "fast": []}

    class Source:
        async def execute(self, context: Any, item: Submission) -> str:
            moments[item.source].append(round(time_.clock.now(), 3))
            await let_pass(0.2)
            return item.source

    stage: Any = Source()
    made = Implementation("i", StageType.INGEST, "", lambda resources, options: stage, lane=Lane.NETWORK)
    rules = policy().model_copy(update={"rate_limit_per_second": 0.5})
    items = [Submission(source=name, key="k") for name in ("slow", "slow", "slow", "fast")]
    calls = StageCalls(BuiltStage(stage, made), rules, False, lambda *_: None, BreakerRegistry())
    time_ = InVirtualTime()
    contexts: list[Any] = [None] * 4
    time_.run(calls.run(contexts, items))
    assert moments == {"slow": [0.0, 2.0, 4.0], "fast": [0.0]}
