"""Circuit breakers that all processes share: reports of what calls came to, and the one probe while a circuit is half open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from medkg_lab.ledger.answers import CircuitRow
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import Circuit, State
from medkg_lab.models.circuits import CircuitState, CircuitStatus, ProbeVerdict
from medkg_lab.models.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Event, EventData, EventType

OUTCOMES = ("failure", "success", "none")
MAX_THRESHOLD = 1_000_000
MAX_RESET_S = 86_400.0
PROBE_TIMEOUT_S = 120.0
"""Seconds after which a probe that nobody reported on is given to the next who asks, unless its owner named others."""

_STATES = {
    EventType.BREAKER_OPENED: CircuitState.OPEN,
    EventType.BREAKER_HALF_OPEN: CircuitState.HALF_OPEN,
    EventType.BREAKER_CLOSED: CircuitState.CLOSED,
}


@dataclass(frozen=True, slots=True)
class BreakerReport(Command):
    """What a call came to: `none` says nothing about the service, and only gives the probe back.

    `failures` is how many calls in a row have failed, this one included; `at` is the time, in seconds since the epoch. Reports
    on a circuit that has moved on since the call began change nothing: an open circuit ignores reports, a half-open one accepts
    only its probe's.
    """

    policy: str
    key: str
    outcome: str
    threshold: int
    reset_s: float
    owner: str
    failures: int = 0
    at: float = 0.0

    op = "breaker_report"
    first_events = frozenset({EventType.BREAKER_OPENED, EventType.BREAKER_CLOSED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        outcome = read.text("outcome")
        if outcome not in OUTCOMES:
            raise read.wrong(f"outcome must be one of {', '.join(OUTCOMES)}, not {outcome!r:.80}")
        threshold, reset_s = int(read.number("threshold", 1, MAX_THRESHOLD)), read.number("reset_s", 0.0, MAX_RESET_S)
        return cls(
            read.id(), read.text("policy"), read.text("key"), outcome, threshold, float(reset_s), read.text("owner")
        )

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        circuit = state.breakers.get((self.policy, self.key))
        if circuit is None or circuit.state is CircuitState.CLOSED:
            return [self._opened(self.failures)] if self.failures >= self.threshold else []
        if circuit.state is CircuitState.OPEN or circuit.owner != self.owner:
            return []
        match self.outcome:
            case "success":
                return [BreakerClosed(self.policy, self.key, self.owner)]
            case "failure":
                return [self._opened(circuit.failures + 1)]
            case _:
                return [self._opened(circuit.failures, wait=0.0)]

    def _opened(self, failures: int, wait: float | None = None) -> BreakerOpened:
        until = self.at + (self.reset_s if wait is None else wait)
        return BreakerOpened(self.policy, self.key, failures, self.reset_s, until, self.owner)

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> CircuitStatus:
        return _circuit_state(state, self.policy, self.key, events)


@dataclass(frozen=True, slots=True)
class BreakerProbe(Command):
    """May a call be made? Always while the circuit is closed; else by one owner at a time, once `until` is over.

    Who is granted a probe has `limit_s` seconds to report on it.
    """

    policy: str
    key: str
    owner: str
    limit_s: float
    at: float = 0.0

    op = "breaker_probe"
    first_events = frozenset({EventType.BREAKER_HALF_OPEN})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, {"limit_s": PROBE_TIMEOUT_S, **args})
        limit_s = float(read.number("limit_s", 0.01, MAX_RESET_S))
        return cls(read.id(), read.text("policy"), read.text("key"), read.text("owner"), limit_s)

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        circuit = state.breakers.get((self.policy, self.key))
        if circuit is None or circuit.until is None or self.at < circuit.until:
            return []
        return [BreakerHalfOpen(self.policy, self.key, self.owner, self.at + self.limit_s)]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> ProbeVerdict:
        found = _circuit_state(state, self.policy, self.key, events)
        granted = bool(events) or found.state is CircuitState.CLOSED
        return ProbeVerdict(state=found.state, until=found.until, granted=granted)


def _circuit_state(state: State, policy: str, key: str, events: Sequence[Event]) -> CircuitStatus:
    """How a circuit stands after `events`, or without any, now."""
    if events:
        last = events[-1].data
        return CircuitStatus(state=_STATES[last.type], until=getattr(last, "until", None))
    circuit = state.breakers.get((policy, key))
    if circuit is None:
        return CircuitStatus(state=CircuitState.CLOSED, until=None)
    return CircuitStatus(state=circuit.state, until=circuit.until)


def describe_circuit(circuit: Circuit) -> CircuitRow:
    """A circuit as those who ask get it."""
    return CircuitRow(
        policy=circuit.policy,
        key=circuit.key,
        state=circuit.state,
        failures=circuit.failures,
        opened_at=circuit.opened_at,
        until=circuit.until,
        owner=circuit.owner,
    )
