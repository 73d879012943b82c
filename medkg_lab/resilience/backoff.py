"""The pause between two attempts."""

from medkg_lab.resilience.policies import BackoffStrategy, ResiliencePolicyConfig


def pause(policy: ResiliencePolicyConfig, attempt: int, chance: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1); `chance` in [0, 1) chooses the jitter.

    Exponential doubles the initial pause with each attempt, linear adds it; neither, jitter included, passes the maximum.
    """
    match policy.backoff_strategy:
        case BackoffStrategy.NONE:
            return 0.0
        case BackoffStrategy.LINEAR:
            base = policy.backoff_initial_seconds * attempt
        case BackoffStrategy.EXPONENTIAL:
            base = policy.backoff_initial_seconds * 2.0 ** (attempt - 1)
    return min(base + policy.backoff_jitter_seconds * chance, policy.backoff_max_seconds)
