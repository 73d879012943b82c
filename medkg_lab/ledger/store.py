"""The event file: what was acknowledged is in here, on disk, in order and without gaps."""

import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO

import duckdb

from medkg_lab.ledger.errors import LedgerDamaged, LedgerInUse, LedgerShort
from medkg_lab.ledger.events import Event, Row, command_of, from_row
from medkg_lab.ledger.migrations import migrate

_TYPES = ("BIGINT", "VARCHAR", "DOUBLE", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR")
_COLUMNS = "seq, id, ts, type, stage, batch, jobs, data"
_INSERT = f"INSERT INTO event SELECT {', '.join(f'unnest(?::{kind}[])' for kind in _TYPES)}"
_HELD = "Could not set lock"
"""What DuckDB says of a file that another process has open."""
CHUNK = 2000
"""Events that are read at once when many are gone through."""


class EventStore:
    """The event table in a DuckDB file of its own, with a mark beside it of how far it was acknowledged.

    The mark is what shows that a damaged write-ahead log lost its end: DuckDB takes some damage there for a torn tail and opens
    without a word. Only the thread that opened the store may append; others read through `reader`.
    """

    def __init__(self, path: Path) -> None:
        """Open or create. Raises LedgerInUse, LedgerDamaged, LedgerShort and LedgerFromElsewhere."""
        self.path = path
        self._lock = _lock(path.with_name(path.name + ".lock"))
        try:
            self._mark = os.open(path.with_name(path.name + ".hwm"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.head = self._open()
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> int:
        promised = int.from_bytes(os.pread(self._mark, 8, 0), "little")
        head = inspect(self.path, promised)
        self._connection = duckdb.connect(str(self.path))
        # One small statement at a time: handing it to a thread pool costs more than it saves.
        self._connection.execute("SET threads=1")
        migrate(self._connection, str(self.path))
        self._promise(head)
        return head

    def append(self, rows: Sequence[Row]) -> None:
        """Write `rows`; durable on return. Whatever it raises leaves open what is on disk: the process must end."""
        self._connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)]).fetchall()
        self.head = rows[-1][0]
        self._promise(self.head)

    def _promise(self, seq: int) -> None:
        os.pwrite(self._mark, seq.to_bytes(8, "little"), 0)
        os.fdatasync(self._mark)

    def reader(self) -> "EventReader":
        """A reader for another thread."""
        return EventReader(self._connection.cursor())

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._connection.close()
        os.close(self._mark)
        self._lock.close()


class EventReader:
    """Reads events; for one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def after(self, seq: int, limit: int, job_id: str | None = None) -> list[Event]:
        """The first `limit` events after `seq`, of one job if `job_id` is given."""
        mine = "" if job_id is None else " AND contains(jobs, ?)"
        parameters = [seq] if job_id is None else [seq, f'"{job_id}"']
        sql = f"SELECT {_COLUMNS} FROM event WHERE seq > ?{mine} ORDER BY seq LIMIT {limit}"
        return [from_row(row) for row in self._connection.execute(sql, parameters).fetchall()]

    def all_after(self, seq: int) -> Iterator[list[Event]]:
        """All events after `seq`, in lists of at most CHUNK."""
        while events := self.after(seq, CHUNK):
            yield events
            seq = events[-1].seq

    def last(self, limit: int) -> list[tuple[int, str]]:
        """Number and id of the last `limit` events, in order."""
        sql = f"SELECT seq, id FROM event WHERE seq > (SELECT max(seq) FROM event) - {limit} ORDER BY seq"
        return [(seq, id_) for seq, id_ in self._connection.execute(sql).fetchall()]

    def at(self, numbers: Collection[int]) -> list[Event]:
        """The events with these numbers, in order."""
        low, high = min(numbers), max(numbers)
        sql = f"SELECT {_COLUMNS} FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq"
        wanted = set(numbers)
        return [from_row(row) for row in self._connection.execute(sql, [low, high]).fetchall() if row[0] in wanted]

    def of_commands(self, ids: Collection[str]) -> list[Event]:
        """The events of commands by id; goes through the whole table."""
        sql = "SELECT seq FROM event WHERE id IN (SELECT unnest(?::VARCHAR[])) ORDER BY seq"
        firsts = self._connection.execute(sql, [list(ids)]).fetchall()
        return [event for (first,) in firsts for event in self._together(first)]

    def _together(self, first: int) -> list[Event]:
        """The events of the command whose first event has this number: they stand together."""
        following = (event for events in self.all_after(first - 1) for event in events)
        beginning = next(following)
        return [beginning, *takewhile(lambda event: command_of(event.id) == beginning.id, following)]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def inspect(path: Path, promised: int) -> int:
    """The number of the last event, after a look that changes nothing: opening a file for writing would tidy up the traces of
    what is wrong with it.

    Raises LedgerDamaged, LedgerInUse when a process that is no ledger holds it, and LedgerShort when it ends before event
    `promised`.
    """
    head = 0
    if path.exists() and path.stat().st_size == 0 and promised == 0:
        path.unlink()  # the first start ended before anything was written
    if path.exists():
        try:
            with duckdb.connect(str(path), read_only=True) as connection:
                head = _contiguous(connection, path)
        except duckdb.Error as error:
            if _HELD in str(error):
                raise LedgerInUse(path=path) from error
            raise LedgerDamaged(path=path, detail=str(error).splitlines()[0]) from error
    if head < promised:
        raise LedgerShort(path=path, found=head, promised=promised)
    return head


def _contiguous(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'event'").fetchall():
        return 0
    row = connection.execute("SELECT count(*), coalesce(min(seq), 1), coalesce(max(seq), 0) FROM event").fetchone()
    count, first, last = row or (0, 1, 0)
    if count != last - first + 1:
        raise LedgerDamaged(path=path, detail=f"{count} events from {first} to {last}")
    return int(last)


def _lock(path: Path) -> IO[str]:
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise LedgerInUse(path=path) from None
    return handle
