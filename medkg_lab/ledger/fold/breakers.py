"""What happens to circuit breakers, which all processes share."""

from medkg_lab.ledger.events import Event
from medkg_lab.ledger.state import Circuit, CircuitState, State


def breaker_opened(state: State, event: Event) -> None:
    """Calls are held back: too many failed, or the probe did, or it said nothing."""
    data = event.data
    circuit = Circuit(
        data["policy"], data["key"], CircuitState.OPEN, data["failures"], event.ts, data["until"], data["reset_s"]
    )
    state.breakers[circuit.policy, circuit.key] = circuit


def breaker_half_open(state: State, event: Event) -> None:
    """One process may try a call."""
    data = event.data
    circuit = state.breakers[data["policy"], data["key"]]
    circuit.state, circuit.owner, circuit.until = CircuitState.HALF_OPEN, data["owner"], data["until"]


def breaker_closed(state: State, event: Event) -> None:
    """Calls go on."""
    data = event.data
    circuit = state.breakers[data["policy"], data["key"]]
    circuit.state, circuit.owner, circuit.until, circuit.failures = CircuitState.CLOSED, None, None, 0
