"""What one reading of the ledger changes in Dagster's tables, gathered before anything is written."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple


class RunRow(NamedTuple):
    """A new run: `began` in epoch seconds; `tags` are its rows of the tag table."""

    run_id: str
    snapshot_id: str
    job_name: str
    body: str
    began: float
    tags: dict[str, str]


class StatusChange(NamedTuple):
    """A run's new status: `ended` says whether it is over at `at`."""

    run_id: str
    status: str
    at: float
    ended: bool


class TagChange(NamedTuple):
    """A run's new value of a tag."""

    run_id: str
    key: str
    value: str


class LogRow(NamedTuple):
    """A line of a run's event log; `kind` is Dagster's event type, None for a plain line."""

    run_id: str
    text: str
    kind: str | None
    at: float
    step: str | None


class Claim(NamedTuple):
    """When runs began, and by which event: what the view has forgotten once they are pruned."""

    at: float
    seq: int


@dataclass
class Rows:
    """Everything to write, in the order of the ledger's events; `cancel` are runs of Dagster's own that never began."""

    runs: list[RunRow] = field(default_factory=list)
    statuses: list[StatusChange] = field(default_factory=list)
    tags: list[TagChange] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)


def timestamp(seconds: float) -> str:
    """How Dagster's SQLite tables write a time: UTC without a zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + f"{seconds % 1:.6f}"[1:]
