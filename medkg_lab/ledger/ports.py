"""What the ledger needs of its storage: an event log, and views of it. DuckDB files do it (`store`, `views`), and plain memory.

A test runs the same contract over both. `medkg_lab.testing.MemoryLedger` is the ledger over `memory`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from medkg_lab.errors import LabError
from medkg_lab.ledger.answers import GateRow, JobRow, Selected
from medkg_lab.ledger.projection import Changes
from medkg_lab.ledger.state import DocumentKey, Job, Published, State
from medkg_lab.models.event_codec import Row
from medkg_lab.models.events import Event


class ViewsBusy(LabError):
    """The views have no memory left, because a query has it: {detail}. They are written when the query has ended."""


class EventReader(Protocol):
    """Reads events; for one thread."""

    def after(self, seq: int, limit: int) -> list[Event]:
        """The first `limit` events after `seq`. Raises EventsPruned."""

    def rows(self, seq: int, limit: int, job_id: str | None = None) -> list[Row]:
        """The first `limit` events after `seq` as they were written, of one job if `job_id` is given. Raises EventsPruned."""

    def all_after(self, seq: int) -> Iterator[list[Event]]:
        """All events after `seq`, in lists. Raises EventsPruned."""

    def last(self, limit: int) -> list[tuple[int, str]]:
        """Number and id of the last `limit` events that were not pruned, in order."""

    def at(self, numbers: Collection[int]) -> list[Event]:
        """The events with these numbers, in order. Raises EventsPruned."""

    def of_commands(self, ids: Collection[str]) -> list[Event]:
        """The events of commands by id."""

    def close(self) -> None:
        """Let go of what is read from."""


class EventLog(Protocol):
    """What was acknowledged, in order and without gaps. Only the thread that opened it may append."""

    @property
    def head(self) -> int:
        """The number of the last event."""

    @property
    def low(self) -> int:
        """The number of the last event that was pruned."""

    def append(self, rows: Sequence[Row]) -> None:
        """Keep `rows`; as safe on return as the log can make them."""

    def reaches(self, seq: int) -> bool:
        """Whether every event after `seq` can still be read."""

    def has_room(self) -> bool:
        """Whether there is room for what is written next."""

    def reader(self) -> EventReader:
        """A reader for another thread."""

    def close(self) -> None:
        """Let another process have it."""


class JobQuestions(Protocol):
    """The views as they are at one moment; for one thread."""

    def jobs(self, filters: Mapping[str, str], limit: int, after: str | None) -> list[JobRow]:
        """The newest jobs that fit `filters`, from the one after job `after` on."""

    def gates(self, state: str | None) -> list[GateRow]:
        """The gates in `state`, or all; those that wait longest first."""

    def select(self, sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> Selected:
        """The first `limit` rows of a SELECT. Raises QueryRefused, QueryFailed, QueryTimeout."""


class JobReader(Protocol):
    """Brings back what the views remember; for one thread."""

    def load(self) -> State:
        """The state at the views' position, without the finished jobs."""

    def jobs(self, ids: Collection[str]) -> list[Job]:
        """The jobs with these ids, finished or not."""

    def documents(self, keys: Iterable[DocumentKey]) -> dict[DocumentKey, Published]:
        """The job that last completed for each of these documents, where there is one."""

    def close(self) -> None:
        """Let go of what is read from."""


class JobViews(Protocol):
    """The tables that follow from the events; one thread writes."""

    @property
    def seq(self) -> int:
        """The number of the last event that they show."""

    def project(self, changes: Changes) -> None:
        """Write the rows of `changes`, all or none. Raises ViewsBusy when it may be tried again."""

    def discard(self) -> None:
        """Start again with nothing."""

    def reader(self) -> JobReader:
        """A reader for another thread."""

    def questions(self) -> AbstractContextManager[JobQuestions]:
        """The views of this moment, to be asked inside the block."""

    def close(self) -> None:
        """Let go of the tables."""
