"""Breakers and rate limits of a run: the ledger's own rules, on the run's clock."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from medkg_lab.ledger.commands.breakers import PROBE_TIMEOUT_S, BreakerProbe, BreakerReport
from medkg_lab.ledger.commands.command import Command
from medkg_lab.ledger.failure_counts import FailureCounts
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.rates import Rates
from medkg_lab.ledger.reducer import fold
from medkg_lab.ledger.state import State
from medkg_lab.models.circuits import CircuitState, CircuitStatus, ProbeVerdict, RateLease
from medkg_lab.models.events import BreakerEvent, BreakerOpened, Event, EventData, stamp

T = TypeVar("T")
OnTransition = Callable[[str, str, str], None]
"""Called with the policy's name, the key and the state."""


class ReplayStateStore:
    """Keeps the circuits of one run, as `ResilienceStateStore` wants it.

    What other jobs did to a circuit is in the log alone: `remember` tells of it.
    """

    def __init__(self, now: Callable[[], float], on_transition: OnTransition) -> None:
        self._now = now
        self._on_transition = on_transition
        self._state = State()
        self._tally = FailureCounts()
        self._rates = Rates(now)
        self._commands = 0

    def breaker_report(
        self, policy: str, key: str, outcome: str, *, threshold: int, reset_s: float, owner: str
    ) -> CircuitStatus:
        """Count what a call came to."""
        self._commands += 1
        noted = BreakerReport(str(self._commands), policy, key, outcome, threshold, reset_s, owner, at=self._now())
        return self._do(replace(noted, failures=self._tally.note(noted, self._state)), CircuitStatus)

    def breaker_probe(self, policy: str, key: str, *, owner: str, limit_s: float | None = None) -> ProbeVerdict:
        """Grant the one probe, if its time has come."""
        self._commands += 1
        probe = BreakerProbe(str(self._commands), policy, key, owner, limit_s or PROBE_TIMEOUT_S, at=self._now())
        return self._do(probe, ProbeVerdict)

    def rate_lease(self, policy: str, key: str, rate_per_s: float, want: int = 1) -> RateLease:
        """Calls that may be made now."""
        granted, wait_s = self._rates.lease(policy, key, rate_per_s, want)
        return RateLease(granted=granted, wait_s=wait_s)

    def remember(self, ts: float, data: BreakerEvent) -> None:
        """Take in a recorded transition, where the run has not come to the same by itself."""
        if isinstance(data, BreakerOpened) and self._circuit_state(data) is CircuitState.CLOSED:
            self._fold([data], ts)

    def _circuit_state(self, data: BreakerEvent) -> CircuitState:
        circuit = self._state.breakers.get((data.policy, data.key))
        return circuit.state if circuit is not None else CircuitState.CLOSED

    def _do(self, command: Command, kind: type[T]) -> T:
        plans = Plans(self._state.definitions)
        drafts = command.decide(self._state, plans)
        answer = command.answer(self._state, plans, self._fold(drafts, self._now()))
        assert isinstance(answer, kind), "what this command answers"
        return answer

    def _fold(self, drafts: Sequence[EventData], ts: float) -> list[Event]:
        events = stamp(drafts, f"run-{self._commands}", self._state.seq, ts)
        for event in events:
            fold(self._state, event)
            assert isinstance(event.data, BreakerEvent), "the commands of a circuit make no other"
            self._on_transition(event.data.policy, event.data.key, self._circuit_state(event.data).value)
        return events
