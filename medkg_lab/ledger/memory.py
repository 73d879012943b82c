"""A ledger's storage in memory: what the ports ask for, in lists and dictionaries. Nothing of it outlives the process."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from medkg_lab.ledger.answers import GateRow, JobRow, Selected
from medkg_lab.ledger.describe import list_job
from medkg_lab.ledger.projection import Changes
from medkg_lab.ledger.query import FILTERS, MAX_GATES
from medkg_lab.ledger.records import job_from, state_from
from medkg_lab.ledger.state import FINISHED, DocumentKey, Job, Published, State
from medkg_lab.ledger.tables import (
    DEFINITION,
    DOCUMENT,
    GATE,
    JOB,
    MEMORY,
    STAGE_RUN,
    TABLES,
    Row,
    Table,
    gate_from,
    published,
    stage_run,
)
from medkg_lab.models import event_codec
from medkg_lab.models.event_codec import from_row
from medkg_lab.models.events import Event, command_of
from medkg_lab.models.identity import FILE_SOURCE

CHUNK = 2000
_PLACE = {table: {name: at for at, name in enumerate(table.columns)} for table in TABLES}


def _value(table: Table, row: Row, name: str) -> Any:
    """What a row of a table has in a column."""
    return row[_PLACE[table][name]]


class MemoryEventLog:
    """Events in a list; also its own reader."""

    def __init__(self) -> None:
        self._rows: list[event_codec.Row] = []
        self.low = 0

    @property
    def head(self) -> int:
        """The number of the last event."""
        return len(self._rows)

    def append(self, rows: Sequence[event_codec.Row]) -> None:
        """Keep `rows`."""
        self._rows.extend(rows)

    def reaches(self, seq: int) -> bool:
        """Nothing is ever pruned."""
        return True

    def has_room(self) -> bool:
        """There always is."""
        return True

    def reader(self) -> "MemoryEventLog":
        """The log itself."""
        return self

    def rows(self, seq: int, limit: int, job_id: str | None = None) -> list[event_codec.Row]:
        """The first `limit` events after `seq` as they were written, of one job if `job_id` is given."""
        following = (row for row in self._rows[seq:] if job_id is None or f'"{job_id}"' in row[6])
        return list(islice(following, limit))

    def after(self, seq: int, limit: int) -> list[Event]:
        """The first `limit` events after `seq`."""
        return list(map(from_row, self.rows(seq, limit)))

    def all_after(self, seq: int) -> Iterator[list[Event]]:
        """All events after `seq`, in lists of at most CHUNK."""
        while events := self.after(seq, CHUNK):
            yield events
            seq = events[-1].seq

    def last(self, limit: int) -> list[tuple[int, str]]:
        """Number and id of the last `limit` events, in order."""
        return [(row[0], row[1]) for row in self._rows[-limit:]]

    def at(self, numbers: Collection[int]) -> list[Event]:
        """The events with these numbers, in order."""
        return [from_row(self._rows[seq - 1]) for seq in sorted(set(numbers)) if 0 < seq <= self.head]

    def of_commands(self, ids: Collection[str]) -> list[Event]:
        """The events of commands by id: those of a command stand together."""
        wanted = set(ids)
        return [from_row(row) for row in self._rows if command_of(row[1]) in wanted]

    def close(self) -> None:
        """Nothing is to be let go of."""


@dataclass
class Tables:
    """Rows by table: those of tables with a key by it, others as they came."""

    keyed: dict[Table, dict[tuple[Any, ...], Row]] = field(default_factory=dict)
    added: dict[Table, list[Row]] = field(default_factory=dict)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, or replace those with the same key."""
        if table.keys:
            self.keyed.setdefault(table, {}).update({row[: table.keys]: row for row in rows})
        else:
            self.added.setdefault(table, []).extend(rows)

    def rows(self, table: Table) -> list[Row]:
        """All rows of a table."""
        return list(self.keyed.get(table, {}).values()) if table.keys else list(self.added.get(table, ()))

    def column(self, table: Table, name: str) -> list[Any]:
        """A column of a table."""
        return [_value(table, row, name) for row in self.rows(table)]

    def jobs(self, ids: Collection[str]) -> Iterator[Job]:
        """The jobs with these ids, with their stage runs in order."""
        runs: dict[str, list[Row]] = {job_id: [] for job_id in ids}
        for row in self.rows(STAGE_RUN):
            if row[0] in runs:
                runs[row[0]].append(row)
        for job_id, found in runs.items():
            if (job := self.keyed.get(JOB, {}).get((job_id,))) is not None:
                found.sort(key=lambda row: _value(STAGE_RUN, row, "place"))
                yield job_from(_value(JOB, job, "record"), map(stage_run, found))


class MemoryJobViews:
    """The tables as dictionaries."""

    def __init__(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Start again with nothing."""
        self.seq = 0
        self.tables = Tables()

    def project(self, changes: Changes) -> None:
        """Write the rows of `changes`."""
        for table, rows in changes.rows.items():
            self.tables.put(table, rows)
        self.seq = changes.seq

    def reader(self) -> "MemoryJobReader":
        """A reader."""
        return MemoryJobReader(self)

    @contextmanager
    def questions(self) -> Iterator["MemoryQuestions"]:
        """The views of this moment, to be asked inside the block."""
        yield MemoryQuestions(Tables({t: dict(rows) for t, rows in self.tables.keyed.items()}, dict(self.tables.added)))

    def close(self) -> None:
        """Nothing is to be let go of."""


class MemoryJobReader:
    """Brings back what the views remember."""

    def __init__(self, views: MemoryJobViews) -> None:
        self._views = views

    def load(self) -> State:
        """The state at the views' position, without the finished jobs."""
        tables = self._views.tables
        states = dict(zip(tables.column(JOB, "job_id"), tables.column(JOB, "state"), strict=True))
        unfinished = [job_id for job_id, state in states.items() if state not in FINISHED]
        memory = {row[0]: row[1] for row in tables.rows(MEMORY)}
        found = state_from(self._views.seq, tables.rows(DEFINITION), memory, tables.jobs(unfinished))
        found.job_counts = Counter(states.values())
        found.gate_counts = Counter(tables.column(GATE, "state"))
        return found

    def jobs(self, ids: Collection[str]) -> list[Job]:
        """The jobs with these ids, finished or not."""
        return list(self._views.tables.jobs(ids))

    def documents(self, keys: Iterable[DocumentKey]) -> dict[DocumentKey, Published]:
        """The job that last completed for each of these documents, where there is one."""
        known = self._views.tables.keyed.get(DOCUMENT, {})
        return dict(published(known[key]) for key in keys if key in known)

    def close(self) -> None:
        """Nothing is to be let go of."""


class MemoryQuestions:
    """Lists of jobs and gates; a SELECT is answered from tables that are made for it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def jobs(self, filters: Mapping[str, str], limit: int, after: str | None) -> list[JobRow]:
        """The newest jobs that fit `filters`, from the one after job `after` on."""
        found = sorted(self._tables.rows(JOB), key=lambda row: _value(JOB, row, "age"), reverse=True)
        if after is not None:
            before = [_value(JOB, row, "age") for row in found if row[0] == after]
            found = [row for row in found if before and _value(JOB, row, "age") < before[0]]
        fitting = (row for row in found if all(_fits(row, name, value) for name, value in filters.items()))
        return [list_job(job_from(_value(JOB, row, "record"), ())) for row in islice(fitting, limit)]

    def gates(self, state: str | None) -> list[GateRow]:
        """The gates in `state`, or all; those that wait longest first."""
        found = [row for row in self._tables.rows(GATE) if state is None or _value(GATE, row, "state") == state]
        found.sort(key=lambda row: _value(GATE, row, "waiting_since"))
        return list(map(gate_from, found[:MAX_GATES]))

    def select(self, sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> Selected:
        """The first `limit` rows of a SELECT. Raises QueryRefused, QueryFailed and QueryTimeout."""
        # Here: who asks nothing in SQL needs no database.
        from medkg_lab.ledger.view_questions import of_rows

        with of_rows({table: self._tables.rows(table) for table in TABLES}) as questions:
            return questions.select(sql, parameters, limit, timeout_s)


def _fits(row: Row, name: str, value: str) -> bool:
    if name != "doc":
        return bool(_value(JOB, row, FILTERS[name]) == value)
    is_file = _value(JOB, row, "source") == FILE_SOURCE
    return value in (_value(JOB, row, "doc_id"), f"{FILE_SOURCE}:{_value(JOB, row, 'doc_key')}" if is_file else None)
