"""Documents moving through the stages: how many are through each, how fast, and which one holds the rest up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named

TIMEOUT_S = 3.0
WINDOW_S = 60.0
"""Seconds over which the rate of a stage is counted."""
_MOVING = ("queued", "running")


@dataclass(frozen=True, slots=True)
class StageFlow:
    """How one stage has done: jobs `through` it, of those `recent` in the last WINDOW_S seconds, and its p95 in ms."""

    through: int = 0
    recent: int = 0
    p95_ms: float | None = None

    @property
    def per_s(self) -> float:
        """Jobs per second, over the last minute."""
        return self.recent / WINDOW_S


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one pipeline's documents are: `total` jobs, of which `left` still move; `bottleneck` is the stage at which most of
    them stand, and `eta_s` the seconds until they are through at the rate of the last minute, None while that is not known."""

    total: int
    left: int
    bottleneck: str = ""
    eta_s: float | None = None


def stage_flows(ledger: LedgerClient, now: float) -> dict[str, dict[str, StageFlow]]:
    """Of each pipeline how each stage has done, at the moment `now` (seconds since the epoch). Raises QueryTimeout."""
    found: dict[str, dict[str, StageFlow]] = {}
    rows = ledger.rows(Named.STAGE_FLOWS, [now - WINDOW_S], limit=10_000, timeout_s=TIMEOUT_S).rows
    for pipeline, stage, through, recent, p95 in rows:
        found.setdefault(str(pipeline), {})[str(stage)] = StageFlow(int(through), int(recent), p95)
    return found


def progress(
    stages: Sequence[str],
    standing: Mapping[str, Mapping[str, int]],
    totals: Mapping[str, int],
    flows: Mapping[str, StageFlow],
) -> Progress:
    """Where the documents of one pipeline are; `standing` counts unfinished jobs by stage and state, `totals` all by state."""
    moving = {stage: sum(states.get(state, 0) for state in _MOVING) for stage, states in standing.items()}
    left = sum(moving.values())
    # A job that is queued before any stage waits for the first.
    crowded = max(
        stages, key=lambda stage: moving.get(stage, 0) + (moving.get("", 0) if stage == stages[0] else 0), default=""
    )
    if not left:
        return Progress(sum(totals.values()), 0)
    last = flows.get(stages[-1], StageFlow()) if stages else StageFlow()
    return Progress(sum(totals.values()), left, crowded, left / last.per_s if last.recent else None)
