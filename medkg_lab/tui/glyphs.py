"""The states: a glyph, a word, a colour token and a plain sign each. The word says it all; glyph and colour repeat it."""

from dataclasses import dataclass

from medkg_lab.tui.theme import Span


@dataclass(frozen=True)
class State:
    """How a state is shown."""

    glyph: str
    word: str
    token: str
    plain: str


QUEUED = State("○", "queued", "muted", "o")
WAITING = State("○", "waiting", "muted", "o")
UNSET = State("○", "unset", "muted", "o")
STARTING = State("◐", "starting", "run", "~")
STARTED = State("◐", "started", "run", "~")
RUNNING = State("◐", "running", "run", "~")
STOPPING = State("◐", "stopping", "run", "~")
UP = State("●", "up", "ok", "*")
DONE = State("✓", "done", "ok", "v")
COMPLETED = State("✓", "completed", "ok", "v")
PASSED = State("✓", "pass", "ok", "v")
READY = State("✓", "ready", "ok", "v")
AT_GATE = State("◇", "at gate", "wait", "<")
OPEN = State("◆", "open", "ok", ">")
RELEASED = State("◆", "released", "ok", ">")
RETRYING = State("↻", "retrying", "warn", "r")
BACKOFF = State("↻", "backoff", "warn", "r")
DEGRADED = State("▲", "degraded", "warn", "!")
BREAKER_OPEN = State("▲", "open", "warn", "!")
FAILED = State("✗", "failed", "bad", "x")
FAILED_CHECK = State("✗", "fail", "bad", "x")
MISSING = State("✗", "missing", "bad", "x")
SILENT = State("?", "silent", "warn", "?")
GIVEN_UP = State("✗", "given up", "bad", "x")
DEAD = State("†", "dead", "dead", "+")
CANCELLED = State("⊘", "cancelled", "dead", "/")
REFUSED = State("✗", "refused", "bad", "x")
REJECTED = State("⊘", "rejected", "dead", "/")
SKIPPED = State("–", "skipped", "muted", "-")
LOST = State("?", "lost", "warn", "?")
STOPPED = State("■", "stopped", "muted", "#")

ALL = tuple(each for each in globals().values() if isinstance(each, State))

_JOBS = {
    "queued": QUEUED,
    "running": RUNNING,
    "waiting_gate": AT_GATE,
    "completed": COMPLETED,
    "failed": FAILED,
    "dead": DEAD,
    "cancelled": CANCELLED,
}
_STAGES = {
    "started": STARTED,
    "completed": DONE,
    "failed": FAILED,
    "retrying": RETRYING,
    "skipped": SKIPPED,
    "waiting": AT_GATE,
    "open": OPEN,
    "released": RELEASED,
    "rejected": REJECTED,
    "cancelled": CANCELLED,
    "lost": LOST,
}
_PROCESSES = {
    "absent": WAITING,
    "starting": STARTING,
    "ready": UP,
    "silent": SILENT,
    "stopping": STOPPING,
    "exited": BACKOFF,
    "given_up": GIVEN_UP,
}
_GATES = {"waiting": AT_GATE, "open": OPEN, "released": RELEASED, "rejected": REJECTED, "failed": FAILED}


def _unknown(word: str) -> State:
    return State("?", word, "muted", "?")


def of_job(state: str) -> State:
    """How a job's state is shown."""
    return _JOBS.get(state) or _unknown(state)


def of_stage(status: str) -> State:
    """How a stage run's status is shown."""
    return _STAGES.get(status) or _unknown(status)


def of_process(state: str) -> State:
    """How a process's state is shown."""
    return _PROCESSES.get(state) or _unknown(state)


def of_gate(state: str) -> State:
    """How a gate's state is shown."""
    return _GATES.get(state) or _unknown(state)


def sign(state: State) -> str:
    """The state's glyph."""
    return state.glyph


def span(state: State, width: int = 0, quiet: bool = False) -> list[Span]:
    """Glyph and word as spans, padded to `width`; a quiet one keeps the colour on its glyph alone."""
    word = f" {state.word}"
    return [(sign(state), state.token), (word.ljust(max(0, width - 1)), "muted" if quiet else state.token)]
