"""Where the state of circuit breakers lies, as pybreaker wants it: in this process, or shared by all processes of a lab.

On the healthy path nobody is asked: a closed circuit is known here and stays so until a call fails. While the keeper cannot be
reached, calls go on by what was known last: a lab without its ledger does nothing else either.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreakerStorage, CircuitMemoryStorage

from medkg_lab.errors import LabError
from medkg_lab.models.circuits import CircuitState, CircuitStatus, ProbeVerdict, RateLease
from medkg_lab.resilience.policies import CircuitBreakerConfig

log = logging.getLogger(__name__)
T = TypeVar("T")

PROBE_MARGIN_S = 5.0
"""Seconds beyond a call's time-out after which another process may probe."""


class ResilienceStateStore(Protocol):
    """Who keeps the state for all processes; the ledger's client is one."""

    def breaker_report(
        self, policy: str, key: str, outcome: str, *, threshold: int, reset_s: float, owner: str
    ) -> CircuitStatus: ...
    def breaker_probe(self, policy: str, key: str, *, owner: str, limit_s: float | None = None) -> ProbeVerdict: ...
    def rate_lease(self, policy: str, key: str, rate_per_s: float, want: int = 1) -> RateLease: ...


@dataclass(frozen=True)
class CircuitKey:
    """Which circuit or rate: the policy's name and the key, and as whom this process asks."""

    policy: str
    key: str
    owner: str


class CircuitStorage(Protocol):
    """What a breaker asks of its storage beyond pybreaker's port: who may probe a circuit that is not closed."""

    @property
    def state(self) -> str: ...
    @property
    def counter(self) -> int: ...
    def seconds_left(self) -> float:
        """Seconds until an open circuit may be probed."""
        ...

    def acquire_probe(self) -> bool:
        """Whether a call may be made; `state` is then `half-open` if it is the probe, or `closed`."""
        ...

    def release_probe(self) -> None:
        """The probe says nothing about the service: the next call may probe."""
        ...


class LocalCircuit(CircuitMemoryStorage):
    """The state of one circuit in this process. `clock` gives seconds that never go back."""

    def __init__(self, config: CircuitBreakerConfig, clock: Callable[[], float]) -> None:
        super().__init__(STATE_CLOSED)
        self._reset_s = config.reset_timeout_seconds
        self._clock = clock
        self._until = 0.0
        self._probed = False

    @property
    def opened_at(self) -> datetime | None:
        """Never asked for: the moment is kept by the clock of the calls."""
        return None

    @opened_at.setter
    def opened_at(self, _: datetime) -> None:
        self._until = self._clock() + self._reset_s
        self._probed = False

    def seconds_left(self) -> float:
        """Seconds until the circuit may be probed."""
        return max(0.0, self._until - self._clock())

    def acquire_probe(self) -> bool:
        """Take the one probe, if its time has come and nobody has it."""
        if self._probed or (self.state == STATE_OPEN and self.seconds_left() > 0):
            return False
        self._probed = True
        self._state = STATE_HALF_OPEN
        return True

    def release_probe(self) -> None:
        """Let the next call probe."""
        self._probed = False


class SharedCircuit(CircuitBreakerStorage):
    """The state of one circuit as its keeper knows it: failures are counted there, and so is decided when it opens.

    `now` gives seconds since the epoch, in which the store's times are.
    """

    def __init__(
        self,
        state_store: ResilienceStateStore,
        circuit: CircuitKey,
        config: CircuitBreakerConfig,
        timeout_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(circuit.key)
        self._state_store = state_store
        self._circuit = circuit
        self._config = config
        self._probe_s = timeout_seconds + PROBE_MARGIN_S
        self._now = now
        self._until: float | None = None
        self._probing = False
        self._failures = 0
        self._successes = 0

    @property
    def state(self) -> str:
        """What is known here; nobody is asked."""
        return STATE_HALF_OPEN if self._probing else STATE_CLOSED if self._until is None else STATE_OPEN

    @state.setter
    def state(self, _: str) -> None:
        """Only the keeper moves a circuit, and its answers are known already."""

    @property
    def counter(self) -> int:
        """Failures in a row that were seen here; as many as open the circuit once the keeper says that it is open."""
        most = self._config.failure_threshold
        return most if self._until is not None else min(self._failures, most - 1)

    def increment_counter(self) -> None:
        """Report a failure."""
        self._failures += 1
        self._report("failure")

    def reset_counter(self) -> None:
        """Report a success, unless it is one more of a circuit that is known to be well."""
        if self._failures or self._probing:
            self._report("success")
        self._failures = 0

    @property
    def success_counter(self) -> int:
        """Successes of the probe."""
        return self._successes

    def increment_success_counter(self) -> None:
        """Count one."""
        self._successes += 1

    def reset_success_counter(self) -> None:
        """Count from none."""
        self._successes = 0

    @property
    def opened_at(self) -> datetime | None:
        """Never asked for: the keeper says until when a circuit is open."""
        return None

    @opened_at.setter
    def opened_at(self, _: datetime) -> None:
        """The keeper knows."""

    def seconds_left(self) -> float:
        """Seconds until the circuit may be probed, as far as that is known."""
        return max(0.0, (self._until or 0.0) - self._now())

    def acquire_probe(self) -> bool:
        """Ask for the probe once its time has come. While the keeper is away calls are made as if the circuit was closed."""
        if self._probing or self.seconds_left() > 0:
            return False
        circuit = self._circuit
        answer = query_store(
            circuit,
            lambda: self._state_store.breaker_probe(
                circuit.policy, circuit.key, owner=circuit.owner, limit_s=self._probe_s
            ),
        )
        if answer is None:
            return True
        self._probing = answer.granted and answer.state is not CircuitState.CLOSED
        if not self._probing:
            self._learn(answer)
        return answer.granted

    def release_probe(self) -> None:
        """Tell the keeper that the next who asks may probe."""
        self._report("none")

    def _report(self, outcome: str) -> None:
        circuit, config = self._circuit, self._config
        answer = query_store(
            circuit,
            lambda: self._state_store.breaker_report(
                circuit.policy,
                circuit.key,
                outcome,
                threshold=config.failure_threshold,
                reset_s=config.reset_timeout_seconds,
                owner=circuit.owner,
            ),
        )
        self._probing = False
        if answer is not None:
            self._learn(answer)

    def _learn(self, status: CircuitStatus) -> None:
        self._until = None if status.state is CircuitState.CLOSED else status.until or self._now()


def query_store(circuit: CircuitKey, question: Callable[[], T]) -> T | None:
    """The store's answer; None, with a line in the log, while there is none."""
    try:
        return question()
    except LabError as error:
        log.warning("the shared state of %s is not known: %s", circuit.key, error)
        return None
