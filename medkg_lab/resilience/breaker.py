"""Circuit breakers: what fails again and again is left alone for a while, then tried with a single call."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker, CircuitBreakerListener

from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.faults import counts_against_service
from medkg_lab.resilience.policies import CircuitBreakerConfig

T = TypeVar("T")
OnTransition = Callable[[str, str], None]
"""Called with the state before and after: `closed`, `open` or `half-open`."""


class _ReportedFailure(Exception):
    """Tells the state machine of a failure that has happened."""


def _succeed() -> None:
    return


def _fail() -> None:
    raise _ReportedFailure


class _Observer(CircuitBreakerListener):
    def __init__(self, on_transition: OnTransition) -> None:
        self._on_transition = on_transition

    def state_change(self, cb: CircuitBreaker, old_state: Any, new_state: Any) -> None:
        self._on_transition(old_state.name, new_state.name)


class Breaker:
    """A circuit breaker for any number of threads, on pybreaker's state machine.

    pybreaker would hold its lock during a call, let a document's error close the circuit and count an interrupt as a failure. So
    calls run outside of it and only their outcome is reported to it; an outcome that says nothing about the service is not.
    `clock` gives seconds that never go back.
    """

    def __init__(
        self, key: str, config: CircuitBreakerConfig, clock: Callable[[], float], on_transition: OnTransition
    ) -> None:
        self._key = key
        self._reset_seconds = config.reset_timeout_seconds
        self._clock = clock
        self._opened_at = 0.0
        self._probe: object | None = None
        self._era: object = object()
        self._lock = threading.RLock()
        self._on_transition = on_transition
        self._machine = CircuitBreaker(
            fail_max=config.failure_threshold,
            listeners=[_Observer(self._moved)],
            name=key,
            throw_new_error_on_trip=False,
        )

    def __repr__(self) -> str:
        return f"<Breaker {self._key}: {self.state}, {self._machine.fail_counter} failures>"

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return self._machine.current_state

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` if the circuit allows it. Raises BreakerOpen, or what `function` raises."""
        permit = self._admit()
        failed: bool | None = None
        try:
            result = function()
            failed = False
            return result
        except Exception as error:
            failed = True if counts_against_service(error) else None
            raise
        finally:
            self._settle(permit, failed)

    def _admit(self) -> object:
        with self._lock:
            if self.state == STATE_CLOSED:
                return self._era
            left = self._opened_at + self._reset_seconds - self._clock()
            if self._probe is not None or (self.state == STATE_OPEN and left > 0):
                raise BreakerOpen(key=self._key, seconds=max(left, 0.0), failures=self._machine.fail_counter)
            if self.state == STATE_OPEN:
                self._machine.half_open()
            self._probe = object()
            return self._probe

    def _settle(self, permit: object, failed: bool | None) -> None:
        """Report an outcome (None: it says nothing), unless the circuit has moved on since the call was admitted."""
        with self._lock:
            current = permit is self._probe or (permit is self._era and self.state == STATE_CLOSED)
            if permit is self._probe:
                self._probe = None
            if not current or failed is None:
                return
            try:
                self._machine.call(_fail if failed else _succeed)
            except _ReportedFailure:
                # The machine hands back what it was told.
                return

    def _moved(self, before: str, after: str) -> None:
        if after == STATE_OPEN:
            self._opened_at = self._clock()
        if after != STATE_HALF_OPEN:
            self._era = object()
        self._on_transition(before, after)
