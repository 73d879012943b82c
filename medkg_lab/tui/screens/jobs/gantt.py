"""A job's stages as bars over time: work to scale, waits between it cut short and named by their length. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.state import GateState, RunStatus, StageRun
from medkg_lab.tui import glyphs
from medkg_lab.tui.formatting import duration, milliseconds
from medkg_lab.tui.glyphs import State

GAP = 2
"""Cells of a wait between stages, however long it was."""
GATE_GAP = 16
MIN_GATE_GAP = 3
SHORTEST = 1e-4
"""Seconds: what took less is drawn as long as that."""


@dataclass(frozen=True)
class Bar:
    """A stage on the time axis, in seconds since the epoch; `waits` says that it stood at a gate."""

    name: str
    start: float
    end: float
    state: State
    note: str = ""
    waits: bool = False


@dataclass(frozen=True)
class Axis:
    """Where a moment is: pieces of time, each with the cells it takes."""

    pieces: Sequence[tuple[float, float, int, int]]

    def cell(self, moment: float) -> int:
        """The cell of a moment."""
        for start, end, first, cells in self.pieces:
            if moment <= end:
                share = (max(moment, start) - start) / max(SHORTEST, end - start)
                return first + round(share * cells)
        return self.pieces[-1][2] + self.pieces[-1][3] if self.pieces else 0


def bars(job: JobDetail, now: float) -> list[Bar]:
    """The last run of each of a job's stages and its stay at a gate, in the order they began."""
    last = {run.stage: run for run in job.stages if run.t0}
    found = [_bar(run, now) for run in last.values()]
    if (gate := job.gate) is not None:
        until = gate.opened_at or (now if gate.state is GateState.WAITING else job.updated_at)
        who = f"by {gate.opened_by}" if gate.opened_by else ""
        since = gate.waiting_since
        found.append(Bar(gate.gate, since, max(since, until), glyphs.of_gate(gate.state), who, waits=True))
    return sorted(found, key=lambda one: (one.start, one.end))


def _bar(run: StageRun, now: float) -> Bar:
    start = run.t0 or now
    end = run.t1 or (now if run.status is RunStatus.RUNNING else start)
    took = milliseconds(run.ms) if run.ms is not None else milliseconds((end - start) * 1000)
    tries = f" ×{run.attempt}" if run.attempt > 1 else ""
    return Bar(run.stage, start, max(start, end), glyphs.of_stage(run.status), f"{took}{tries}")


def axis(shown: Sequence[Bar], width: int) -> Axis:
    """Time laid over `width` cells: work gets room by its length, the waits between get a few cells each."""
    work = _merged([(one.start, max(one.end, one.start + SHORTEST)) for one in shown if not one.waits])
    stays = [one for one in shown if one.waits]
    gaps = [
        _gap(before, after, stays, width)
        for before, after in zip(_ends(work, stays), _starts(work, stays), strict=True)
    ]
    room = max(len(work), width - sum(gaps))
    total = sum(end - start for start, end in work) or 1.0
    pieces: list[tuple[float, float, int, int]] = []
    at = 0
    for number, (start, end) in enumerate(work):
        cells = max(1, int(room * (end - start) / total))
        pieces.append((start, end, at, cells))
        at += cells
        if number < len(gaps):
            after = work[number + 1][0] if number + 1 < len(work) else max(one.end for one in stays)
            pieces.append((end, after, at, gaps[number]))
            at += gaps[number]
    return Axis(tuple(pieces))


def _ends(work: Sequence[tuple[float, float]], stays: Sequence[Bar]) -> list[float]:
    trailing = bool(work) and any(one.end > work[-1][1] for one in stays)
    return [end for _, end in (work if trailing else work[:-1])]


def _starts(work: Sequence[tuple[float, float]], stays: Sequence[Bar]) -> list[float]:
    starts = [start for start, _ in work[1:]]
    trailing = bool(work) and any(one.end > work[-1][1] for one in stays)
    return [*starts, max(one.end for one in stays)] if trailing else starts


def _gap(before: float, after: float, stays: Sequence[Bar], width: int) -> int:
    stood = any(one.start < after and one.end > before for one in stays)
    return max(MIN_GATE_GAP, min(GATE_GAP, width // 3)) if stood else GAP


def _merged(intervals: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def drawn(one: Bar, over: Axis, width: int) -> str:
    """A bar in `width` cells: full cells for work, a dotted run with its length for a stay at a gate."""
    start = min(over.cell(one.start), width - 1)
    cells = max(1, min(width, over.cell(one.end)) - start)
    body = _stay(one, cells) if one.waits else "█" * cells
    return (" " * start + body)[:width].ljust(width)


def _stay(one: Bar, cells: int) -> str:
    label = f" {duration(one.end - one.start)} "
    return label.center(cells, "┄") if cells >= len(label) + 2 else "┄" * cells
