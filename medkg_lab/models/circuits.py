"""How circuit breakers and rate limits stand that all processes share. Times are seconds since the epoch."""

from dataclasses import dataclass
from enum import StrEnum


class CircuitState(StrEnum):
    """How a circuit breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitStatus:
    """How a circuit stands, and until when (None while it is closed)."""

    state: CircuitState
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeVerdict(CircuitStatus):
    """Whether a call may be made, and how its circuit stands."""

    granted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLease:
    """How many calls may be made now; when none, the seconds until there is one."""

    granted: int
    wait_s: float
