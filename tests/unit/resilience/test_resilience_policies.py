"""Policies: bounds, proportions, names; and the pauses that follow from them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medkg_lab.resilience.errors import UnknownPolicy
from medkg_lab.resilience.policies import BackoffStrategy, Policies, ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import pause

from .samples import BREAKER, POLICY, policy

BOUNDS = [
    ("max_attempts", 1, 10),
    ("backoff_initial_seconds", 0.1, 10.0),
    ("backoff_max_seconds", 1.0, 300.0),
    ("backoff_jitter_seconds", 0.0, 5.0),
    ("timeout_seconds", 1, 600),
    ("rate_limit_per_second", 0.1, 100.0),
]


@pytest.mark.parametrize(("field", "low", "high"), BOUNDS)
def test_bounds(field: str, low: float, high: float) -> None:
    room = {"backoff_max_seconds": 300.0, "backoff_initial_seconds": 0.1}
    for value in (low, high):
        assert getattr(policy(**{**room, field: value}), field) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError, match=field):
            policy(**{**room, field: value})


@pytest.mark.parametrize(
    "breaker",
    [
        {"failure_threshold": 2, "reset_timeout_seconds": 60},
        {"failure_threshold": 11, "reset_timeout_seconds": 60},
        {"failure_threshold": 3, "reset_timeout_seconds": 29},
        {"failure_threshold": 3, "reset_timeout_seconds": 601},
        {"failure_threshold": 3},
    ],
)
def test_breaker_bounds(breaker: dict[str, int]) -> None:
    assert policy(circuit_breaker=BREAKER).circuit_breaker is not None
    with pytest.raises(ValidationError):
        policy(circuit_breaker=breaker)


@pytest.mark.parametrize(
    "changes",
    [
        {"backoff_initial_seconds": 5.0, "backoff_max_seconds": 4.0},
        {"deadline_seconds": 4.0},
        {"backoff_strategy": "random"},
        {"name": "Bad Name"},
        {"atempts": 1},
    ],
)
def test_other_refusals(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        policy(**changes)


def test_policies_by_name() -> None:
    policies = Policies(policies=(POLICY, policy(name="other")))
    assert policies.names == ("sample", "other")
    assert policies.get("other").name == "other"
    with pytest.raises(UnknownPolicy, match="sample, other"):
        policies.get("third")
    with pytest.raises(ValidationError, match="twice"):
        Policies(policies=(POLICY, POLICY))


def test_overlaying_replaces_by_name_and_keeps_the_order() -> None:
    policies = Policies(policies=(POLICY, policy(name="other")))
    overlaid = policies.overlaid(Policies(policies=(policy(name="new"), policy(max_attempts=9))))
    assert overlaid.names == ("sample", "other", "new")
    assert overlaid.get("sample").max_attempts == 9


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("exponential", [1, 2, 4, 8, 10, 10]), ("linear", [1, 2, 3, 4, 5, 6]), ("none", [0, 0, 0, 0, 0, 0])],
)
def test_pauses(strategy: str, expected: list[float]) -> None:
    chosen = policy(backoff_strategy=strategy)
    assert [pause(chosen, attempt, 0.5) for attempt in range(1, 7)] == expected


def test_chance_adds_jitter_up_to_the_maximum() -> None:
    chosen = policy(backoff_jitter_seconds=2.0)
    assert pause(chosen, 1, 0.5) == 2.0
    assert pause(chosen, 4, 0.9) == pytest.approx(9.8)
    assert pause(chosen, 5, 0.9) == 10.0


@given(
    st.sampled_from(list(BackoffStrategy)),
    st.integers(1, 10),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.1, 10),
    st.floats(10, 300),
    st.floats(0, 5),
)
def test_pauses_never_pass_the_maximum_nor_shrink(
    strategy: BackoffStrategy, attempt: int, chance: float, initial: float, most: float, jitter: float
) -> None:
    chosen = ResiliencePolicyConfig(
        name="drawn",
        max_attempts=10,
        backoff_strategy=strategy,
        backoff_initial_seconds=initial,
        backoff_max_seconds=most,
        backoff_jitter_seconds=jitter,
        timeout_seconds=1,
    )
    assert 0 <= pause(chosen, attempt, chance) <= pause(chosen, attempt + 1, chance) <= most
