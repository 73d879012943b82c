"""Named resilience policies as frozen data."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from medkg_lab.models.documents import Frozen
from medkg_lab.resilience.errors import UnknownPolicy

POLICY_NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"


class BackoffStrategy(StrEnum):
    """How the pause before each further attempt grows."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    NONE = "none"


class CircuitBreakerConfig(Frozen):
    """Opens after `failure_threshold` failures in a row; lets one probe through after `reset_timeout_seconds`."""

    failure_threshold: int = Field(ge=3, le=10)
    reset_timeout_seconds: int = Field(ge=30, le=600)


class ResiliencePolicyConfig(Frozen):
    """How calls to a stage are retried, limited and timed.

    `timeout_seconds` bounds one attempt, `deadline_seconds` all attempts with their pauses and waits for the rate limit; both in
    seconds of wall-clock time. `backoff_jitter_seconds` is the most that chance adds to a pause.
    """

    name: str = Field(pattern=POLICY_NAME, max_length=64)
    description: str = Field(default="", max_length=1024)
    max_attempts: int = Field(ge=1, le=10)
    backoff_strategy: BackoffStrategy
    backoff_initial_seconds: float = Field(default=1.0, ge=0.1, le=10.0)
    backoff_max_seconds: float = Field(default=30.0, ge=1.0, le=300.0)
    backoff_jitter_seconds: float = Field(default=0.0, ge=0.0, le=5.0)
    timeout_seconds: int = Field(ge=1, le=600)
    deadline_seconds: float | None = Field(default=None, ge=1.0, le=3600.0)
    circuit_breaker: CircuitBreakerConfig | None = None
    rate_limit_per_second: float | None = Field(default=None, ge=0.1, le=100.0)

    @model_validator(mode="after")
    def _in_proportion(self) -> Self:
        if self.backoff_max_seconds < self.backoff_initial_seconds:
            raise ValueError("backoff_max_seconds is less than backoff_initial_seconds")
        if self.deadline_seconds is not None and self.deadline_seconds < self.timeout_seconds:
            raise ValueError("deadline_seconds is less than timeout_seconds, so that no attempt could use its time")
        return self


class Policies(Frozen):
    """All policies of a lab; the names are unique."""

    policies: tuple[ResiliencePolicyConfig, ...] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [policy.name for policy in self.policies]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"these policies stand there twice: {', '.join(twice)}")
        return self

    @cached_property
    def _by_name(self) -> Mapping[str, ResiliencePolicyConfig]:
        return {policy.name: policy for policy in self.policies}

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the file."""
        return tuple(self._by_name)

    def get(self, name: str) -> ResiliencePolicyConfig:
        """The policy called `name`. Raises UnknownPolicy."""
        if name not in self._by_name:
            raise UnknownPolicy(name=name, known=", ".join(self.names))
        return self._by_name[name]

    def overlaid(self, other: "Policies") -> "Policies":
        """These policies with those of `other` added, or put in the place of the same name."""
        return Policies(policies=tuple({**self._by_name, **other._by_name}.values()))
