"""What happens to circuit breakers, which all processes share."""

from medkg_lab.ledger.state import Circuit, State
from medkg_lab.models.circuits import CircuitState
from medkg_lab.models.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Event


def breaker_opened(state: State, event: Event, data: BreakerOpened) -> None:
    """Calls are held back: too many failed, or the probe did, or it said nothing."""
    circuit = Circuit(data.policy, data.key, CircuitState.OPEN, data.failures, event.ts, data.until, data.reset_s)
    state.breakers[circuit.policy, circuit.key] = circuit


def breaker_half_open(state: State, event: Event, data: BreakerHalfOpen) -> None:
    """One process may try a call."""
    circuit = state.breakers[data.policy, data.key]
    circuit.state, circuit.owner, circuit.until = CircuitState.HALF_OPEN, data.owner, data.until


def breaker_closed(state: State, event: Event, data: BreakerClosed) -> None:
    """Calls go on."""
    circuit = state.breakers[data.policy, data.key]
    circuit.state, circuit.owner, circuit.until, circuit.failures = CircuitState.CLOSED, None, None, 0
