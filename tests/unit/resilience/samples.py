"""A clock that moves when it is told to, and policies to change."""

from typing import Any

from medkg_lab.resilience.policies import ResiliencePolicyConfig

POLICY = ResiliencePolicyConfig(
    name="sample",
    max_attempts=3,
    backoff_strategy="exponential",
    backoff_initial_seconds=1.0,
    backoff_max_seconds=10.0,
    timeout_seconds=5,
)
BREAKER = {"failure_threshold": 3, "reset_timeout_seconds": 60}


def policy(**changes: Any) -> ResiliencePolicyConfig:
    """The sample policy with other values, validated."""
    return ResiliencePolicyConfig.model_validate({**POLICY.model_dump(), **changes})


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
