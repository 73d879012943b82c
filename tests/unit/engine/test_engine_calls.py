"""Calling stages for batches: every document gets the outcome that is its own."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.engine.calls import Outcome, StageCalls
from medkg_lab.engine.workshop import BuiltStage
from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.resilience.executor import BreakerRegistry
from medkg_lab.resilience.policies import BackoffStrategy, CircuitBreakerConfig, ResiliencePolicyConfig
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.registry import Implementation


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
) -> list[Outcome]:
    # Breakers are shared by name and key: each call here is of another implementation.
    built = BuiltStage(stage, Implementation(f"x{id(stage)}", StageType.EMBED, "", lambda resources, options: stage))
    calls = StageCalls(built, rules or policy(), True, on_retry or (lambda *_: None), BreakerRegistry())
    contexts: list[Any] = [None] * len(items)
    return calls.run(contexts, items)


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
    seen: list[int] = []

    class Alone:
        def execute(self, context: Any, item: int) -> int:
            assert seen[-1] == item
            return item

    stage: Any = Alone()
    built = BuiltStage(stage, Implementation("alone", StageType.CHUNK, "", lambda resources, options: stage))
    calls = StageCalls(built, policy(), True, lambda *_: None, BreakerRegistry(), seen.append)
    contexts: list[Any] = [None] * 3
    assert [outcome.value for outcome in calls.run(contexts, [0, 1, 2])] == [0, 1, 2]
    assert seen == [0, 1, 2]
