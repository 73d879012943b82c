"""What the supervisor does next: pure, so that it is tested without processes.

The cases for a process, when the lab should run:
  never started          -> start it once all that it comes after are ready, and those that it lets settle are that, or failed
  starting, ready        -> leave it
  ready, but hung        -> end it; it is started again
  exited, may restart    -> start it again when its back-off is over
  exited with NO_RESTART -> leave it and show why
When the lab should stop:
  running, nothing that comes after it runs -> ask it to end; kill it when its grace is over
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from medkg_lab.supervisor.spec import ProcessSpec

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 30.0
HEALTHY_AFTER_S = 60.0
"""Seconds a process must have run for its earlier failures to be forgotten."""
SILENT = "silent"
"""What is shown instead of `ready` of a process that gave no sign of life for SILENT_S, or was stopped."""
SILENT_S = 10.0
"""Seconds without a sign of life after which that is shown; a process gives one every two seconds."""
HUNG_S = 60.0
"""Seconds without a sign of life after which a process that does nothing is ended."""
BUSY_HUNG_S = 300.0
"""The same for one that computes: a machine that is short of processors, or a long call into a library, may be all it is."""
BUSY_SHARE = 0.02
"""Of its silent time, what a process that computes has spent on a processor at least."""
GRACE_S = 4.0
"""Seconds between asking a process to end and killing it."""


class State(StrEnum):
    """Where a process stands."""

    ABSENT = "absent"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    EXITED = "exited"
    GIVEN_UP = "given_up"


RUNNING = {State.STARTING, State.READY, State.STOPPING}


@dataclass(frozen=True)
class Observed:
    """What is known of a process; times are seconds of the monotonic clock; `failures` counts exits without a healthy run.

    `silent` is the seconds for which one that is ready gave no sign of life, `busy` whether it computed meanwhile.
    """

    state: State = State.ABSENT
    since: float = 0.0
    failures: int = 0
    killed: bool = False
    silent: float = 0.0
    busy: bool = False

    @property
    def is_hung(self) -> bool:
        """Whether it has been silent for so long that it will not answer any more."""
        return self.state is State.READY and self.silent >= (BUSY_HUNG_S if self.busy else HUNG_S)


@dataclass(frozen=True)
class Start:
    """Start the process."""

    name: str


@dataclass(frozen=True)
class Terminate:
    """Ask the process to end."""

    name: str


@dataclass(frozen=True)
class Kill:
    """End the process at once."""

    name: str


Action = Start | Terminate | Kill


def backoff(failures: int) -> float:
    """Seconds to wait before a process that has failed `failures` times is started again."""
    doublings = min(max(0, failures - 1), 20)
    return min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0**doublings)


def decide(
    specs: Sequence[ProcessSpec], observed: Mapping[str, Observed], wanted: bool, restarting: frozenset[str], now: float
) -> list[Action]:
    """The actions due at `now`; `restarting` names processes that a person asked to restart."""
    actions: list[Action] = []
    for spec in specs:
        action = _run(spec, observed, spec.name in restarting, now) if wanted else _stop(spec, specs, observed, now)
        if action is not None:
            actions.append(action)
    return actions


def missing(spec: ProcessSpec, observed: Mapping[str, Observed]) -> list[str]:
    """The processes that `spec` waits for."""
    unready = [name for name in spec.after if observed[name].state is not State.READY]
    return unready + [name for name in spec.after_outcome if not _is_settled(observed[name])]


def _is_settled(seen: Observed) -> bool:
    return seen.state in (State.READY, State.GIVEN_UP) or seen.failures > 0


def _run(spec: ProcessSpec, observed: Mapping[str, Observed], restart: bool, now: float) -> Action | None:
    seen = observed[spec.name]
    match seen.state:
        case State.ABSENT:
            return None if missing(spec, observed) else Start(spec.name)
        case State.EXITED:
            return Start(spec.name) if now - seen.since >= backoff(seen.failures) else None
        case State.GIVEN_UP:
            return Start(spec.name) if restart else None
        case State.STOPPING:
            return _kill_when_due(spec, seen, now)
        case State.READY if seen.is_hung and not restart:
            return None if seen.killed else Kill(spec.name)
        case _:
            return Terminate(spec.name) if restart else None


def _stop(
    spec: ProcessSpec, specs: Sequence[ProcessSpec], observed: Mapping[str, Observed], now: float
) -> Action | None:
    seen = observed[spec.name]
    if seen.state is State.STOPPING:
        return _kill_when_due(spec, seen, now)
    if seen.state not in RUNNING:
        return None
    needed = any(
        spec.name in (*other.after, *other.after_outcome) and observed[other.name].state in RUNNING for other in specs
    )
    return None if needed else Terminate(spec.name)


def _kill_when_due(spec: ProcessSpec, seen: Observed, now: float) -> Action | None:
    return Kill(spec.name) if now - seen.since >= GRACE_S and not seen.killed else None
