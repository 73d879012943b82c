"""What workers tell the screen: frozen snapshots, posted as messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textual.message import Message

from medkg_lab.lab.flow import StageFlow
from medkg_lab.ledger.answers import CircuitRow, Counts, GateRow
from medkg_lab.supervisor.answers import LabStatus, ProcessRow

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedProcess(ProcessRow):
    """A process, with its share of a processor since it was last looked at; None while that is not known."""

    cpu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLab(LabStatus):
    """A lab that runs, with its processes as they are watched."""

    processes: tuple[WatchedProcess, ...]


@dataclass(frozen=True)
class Snapshot:
    """The lab at one moment, read about once a second. A part that could not be read keeps its last value.

    `at` is seconds since the epoch, 0 while nothing was looked at yet. `lab` is the supervisor's status, or None while no lab
    runs. `counts`, `positions`, `breakers` and `gates` (the waiting ones) are what the ledger's client gives under these names.
    `flow` says how many unfinished jobs stand where, {pipeline: {stage: {state: jobs}}}; `totals` how many each pipeline has,
    {pipeline: {state: jobs}}; `stages` are the stages of each pipeline in order, and `stage_flows` how each has done. `refused`
    counts the records of the work queue that became dead letters and that nobody has acknowledged, `acknowledged` the failed and
    dead jobs that someone has, by state. `behind` names what did not answer and since when (seconds since the epoch): then the
    values of that part are older than `at`. `trouble` is why nothing could be looked at, when nothing could.
    """

    at: float = 0.0
    lab: WatchedLab | None = None
    counts: Counts | None = None
    positions: Mapping[str, int] = field(default_factory=dict)
    breakers: Sequence[CircuitRow] = ()
    gates: Sequence[GateRow] = ()
    flow: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    stages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    behind: Mapping[str, float] = field(default_factory=dict)
    machine: Json = field(default_factory=dict)
    throughput: Sequence[float] = ()
    stage_flows: Mapping[str, Mapping[str, StageFlow]] = field(default_factory=dict)
    refused: int = 0
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""

    @property
    def processes(self) -> Sequence[WatchedProcess]:
        """Every process."""
        return self.lab.processes if self.lab is not None else ()

    def process(self, name: str) -> WatchedProcess | None:
        """The process of this name."""
        return next((one for one in self.processes if one.name == name), None)

    def is_up(self, name: str) -> bool:
        """Whether the process of this name is ready."""
        process = self.process(name)
        return process is not None and process.state == "ready"

    @property
    def is_ready(self) -> bool:
        """Whether a lab runs and all of its processes are ready."""
        return bool(self.processes) and all(one.state == "ready" for one in self.processes)

    @property
    def jobs(self) -> Mapping[str, int]:
        """How many jobs are in each state."""
        return self.counts.jobs if self.counts is not None else {}

    @property
    def head(self) -> int | None:
        """The number of the ledger's newest event; None while it is not known."""
        return self.counts.head if self.counts is not None else None

    @property
    def queued_by_lane(self) -> Mapping[str, int]:
        """How many jobs are queued in each lane."""
        return self.counts.queued_by_lane if self.counts is not None else {}


class SnapshotTaken(Message):
    """The poller has a new snapshot; a newer one replaces one that was not handled yet."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        """Only the newest matters."""
        return isinstance(message, SnapshotTaken)


class PollNow(Message):
    """Something was changed: the lab is looked at without waiting."""


class GoTo(Message):
    """Show the mode called `mode`, or the one before when that is empty, and give it a command's words."""

    def __init__(self, mode: str, words: Sequence[str] | None = None) -> None:
        super().__init__()
        self.mode, self.words = mode, words


@dataclass(frozen=True)
class Subject:
    """The thing under the cursor, for the keys that mean the same everywhere (why, logs, events, copy, raw).

    `kind` is `job` or `process` or `document` or `event` or `stage`; `id` is what is copied; `name` is what is shown;
    `process` is whose log belongs to it; `raw` is its raw form.
    """

    kind: str
    id: str
    name: str = ""
    process: str = ""
    raw: Json = field(default_factory=dict)
