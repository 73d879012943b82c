"""Circuit breakers: what fails repeatedly is left alone for a while, then tried with a single call."""

import threading
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from functools import partial
from typing import Any, Protocol, TypeVar

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, CircuitBreaker, CircuitBreakerListener, CircuitBreakerStorage

from medkg_lab.event_loop import in_thread
from medkg_lab.resilience.circuit_storage import CircuitStorage
from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.faults import counts_against_service
from medkg_lab.resilience.policies import CircuitBreakerConfig

T = TypeVar("T")
OnTransition = Callable[[str, str], None]
"""Called with the state before and after: `closed`, `open` or `half-open`."""


class StoreCall(Protocol):
    """How a question to the storage is asked, which may take a while."""

    async def __call__(self, question: Callable[[], T]) -> T: ...


async def call_inline(question: Callable[[], T]) -> T:
    """Ask in the caller's thread: nothing else waits for its event loop."""
    return question()


async def call_in_thread(question: Callable[[], T]) -> T:
    """Ask in another thread, so that the event loop goes on meanwhile."""
    return await in_thread(question, "circuits")


class _Outcome(Enum):
    SUCCESS = auto()
    FAILURE = auto()
    NOTHING = auto()


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
    """A circuit breaker for any number of tasks and threads: pybreaker's state machine over a storage.

    pybreaker would hold its lock during a call, let a document's error close the circuit and count an interrupt as a failure. So
    calls run outside of it and only their outcome is reported to it; an outcome that says nothing about the service is not.
    """

    def __init__(
        self,
        key: str,
        config: CircuitBreakerConfig,
        storage: CircuitStorage,
        on_transition: OnTransition = lambda before, after: None,
        store_call: StoreCall = call_inline,
    ) -> None:
        assert isinstance(storage, CircuitBreakerStorage), "the machine is pybreaker's, and so is the storage's port"
        self._key = key
        self._storage = storage
        self._asking = store_call
        self._probe: object | None = None
        self._generation: object = object()
        self._lock = threading.RLock()
        self._on_transition = on_transition
        self._machine = CircuitBreaker(
            fail_max=config.failure_threshold,
            listeners=[_Observer(self._moved)],
            state_storage=storage,
            name=key,
            throw_new_error_on_trip=False,
        )

    def __repr__(self) -> str:
        return f"<Breaker {self._key}: {self.state}, {self._storage.counter} failures>"

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`, as far as this process knows."""
        return self._storage.state

    async def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Call `function` if the circuit allows it. Raises BreakerOpen, or what `function` raises."""
        permit = self._generation if self.state == STATE_CLOSED else await self._asking(self._admit)
        outcome = _Outcome.NOTHING
        try:
            result = await function()
            outcome = _Outcome.SUCCESS
            return result
        except Exception as error:
            if counts_against_service(error):
                outcome = _Outcome.FAILURE
            raise
        finally:
            if not self._is_no_news(permit, outcome):
                await self._asking(partial(self._report, permit, outcome))

    def _admit(self) -> object:
        with self._lock:
            if self.state == STATE_CLOSED:
                return self._generation
            if not self._storage.acquire_probe():
                failures = max(self._storage.counter, 1)
                raise BreakerOpen(key=self._key, seconds=self._storage.seconds_left(), failures=failures)
            # Asked for its state, the machine takes over the storage's.
            if self._machine.state.name == STATE_HALF_OPEN:
                self._probe = object()
                return self._probe
            return self._generation if self.state == STATE_CLOSED else None

    def _is_no_news(self, permit: object, outcome: _Outcome) -> bool:
        """Whether the outcome changes nothing, as most do: one more success of a circuit that is well."""
        if permit is self._generation:
            return outcome is _Outcome.NOTHING or (outcome is _Outcome.SUCCESS and self._storage.counter == 0)
        return permit is not self._probe

    def _report(self, permit: object, outcome: _Outcome) -> None:
        """Report an outcome, unless the circuit has moved on since the call was admitted."""
        with self._lock:
            probed = permit is self._probe
            if probed:
                self._probe = None
            elif permit is not self._generation or self.state != STATE_CLOSED:
                return
            if outcome is _Outcome.NOTHING:
                self._storage.release_probe()
                return
            try:
                self._machine.call(_fail if outcome is _Outcome.FAILURE else _succeed)
            except _ReportedFailure:
                # The machine hands back what it was told.
                return

    def _moved(self, before: str, after: str) -> None:
        if after != STATE_HALF_OPEN:
            self._generation = object()
        self._on_transition(before, after)
