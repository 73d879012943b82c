"""The event file: what was acknowledged is in here, on disk, in order and without gaps."""

import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, cast

import duckdb

from medkg_lab.ledger.archive import COLUMNS, Archive
from medkg_lab.ledger.errors import MIN_FREE_BYTES, EventsPruned, LedgerDamaged, LedgerInUse, LedgerShort
from medkg_lab.ledger.migrations import migrate
from medkg_lab.models.event_codec import Row, from_row
from medkg_lab.models.events import Event, command_of

COLUMN_TYPES = ("BIGINT", "VARCHAR", "DOUBLE", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR")
_INSERT = f"INSERT INTO event SELECT {', '.join(f'unnest(?::{kind}[])' for kind in COLUMN_TYPES)}"
_HELD = "Could not set lock"
"""What DuckDB says of a file that another process has open."""
CHUNK = 2000
"""Events that are read at once when many are gone through."""


class EventStore:
    """The event table in a DuckDB file of its own, with a mark beside it of how far it was acknowledged.

    The mark is what shows that a damaged write-ahead log lost its end: DuckDB takes some damage there for a torn tail and opens
    without a word. Only the thread that opened the store may append; others read through `reader`.

    The first events may have been pruned: `low` is the number of the last one that is gone from here. They are read from the
    archive, as long as it is there.
    """

    def __init__(self, path: Path) -> None:
        """Open or create. Raises LedgerInUse, LedgerDamaged, LedgerShort and LedgerFromElsewhere."""
        self.path = path
        self.archive = Archive(path.with_name("archive"))
        self._lock = lock(path)
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
        row = self._connection.execute("SELECT min(seq) FROM event").fetchone()
        self.low = row[0] - 1 if row and row[0] else 0
        self._promise(head)
        return head

    def reaches(self, seq: int) -> bool:
        """Whether every event after `seq` can still be read."""
        return seq >= self.low or self.archive.covers(seq + 1, self.low)

    @property
    def forgotten(self) -> int:
        """The number of the last event that can be read no longer, from the archive either."""
        return self.archive.reach(self.low)

    def append(self, rows: Sequence[Row]) -> None:
        """Write `rows`; durable on return. Whatever it raises leaves open what is on disk: the process must end."""
        self._connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)]).fetchall()
        self.head = rows[-1][0]
        self._promise(self.head)

    def prune(self, upto: int) -> None:
        """Remove the events up to `upto`, which must be in the archive, and never the last one."""
        upto = min(upto, self.head - 1)
        if upto > self.low and self.archive.covers(self.low + 1, upto):
            # Set first: who reads meanwhile finds these events in the archive.
            self.low = upto
            self._connection.execute("DELETE FROM event WHERE seq <= ?", [upto]).fetchall()
            self._connection.execute("CHECKPOINT").fetchall()

    def has_room(self) -> bool:
        """Whether the disk has room for what is written next."""
        found = os.statvfs(self.path.parent)
        return found.f_bavail * found.f_frsize >= MIN_FREE_BYTES

    def _promise(self, seq: int) -> None:
        os.pwrite(self._mark, seq.to_bytes(8, "little"), 0)
        os.fdatasync(self._mark)

    def reader(self) -> "EventReader":
        """A reader for another thread."""
        return EventReader(self._connection.cursor(), self)

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._connection.close()
        os.close(self._mark)
        self._lock.close()


class EventReader:
    """Reads events, those that were pruned from the archive; for one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, store: EventStore) -> None:
        self._connection = connection
        self._store = store

    def _rows(self, after: int, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of a SELECT from `{source}`, which has all events after `after`. Raises EventsPruned."""
        while True:
            low = self._store.low
            rows = self._connection.execute(sql.format(source=self._source(after, low)), parameters).fetchall()
            if self._store.low in (low, after) or after > self._store.low:
                return rows

    def _source(self, after: int, low: int) -> str:
        if after >= low:
            return "event"
        archived = self._store.archive.relation(after)
        if archived is None or not self._store.reaches(after):
            raise EventsPruned(low=low, path=self._store.archive.folder)
        old = f"SELECT {COLUMNS} FROM {archived} WHERE seq <= {low}"
        return f"(SELECT {COLUMNS} FROM event WHERE seq > {low} UNION ALL {old})"

    def archive(self, first: int, last: int) -> None:
        """Write the events from `first` to `last` to the archive. Raises ArchiveNotWritten."""
        self._store.archive.write(self._connection, first, last)

    def export(self, target: Archive) -> int:
        """Write the events that `target` lacks to it; the number of the last one. Raises ArchiveNotWritten."""
        head, first = self._store.head, max(self._store.low, target.last) + 1
        if head >= first:
            target.write(self._connection, first, head)
        return head

    def after(self, seq: int, limit: int) -> list[Event]:
        """The first `limit` events after `seq`. Raises EventsPruned."""
        return list(map(from_row, self.rows(seq, limit)))

    def rows(self, seq: int, limit: int, job_id: str | None = None) -> list[Row]:
        """The first `limit` events after `seq` as they were written, of one job if `job_id` is given. Raises EventsPruned."""
        mine = "" if job_id is None else " AND contains(jobs, ?)"
        parameters = [seq] if job_id is None else [seq, f'"{job_id}"']
        sql = f"SELECT {COLUMNS} FROM {{source}} WHERE seq > ?{mine} ORDER BY seq LIMIT {limit}"
        return cast(list[Row], self._rows(seq, sql, parameters))

    def all_after(self, seq: int) -> Iterator[list[Event]]:
        """All events after `seq`, in lists of at most CHUNK. Raises EventsPruned."""
        while events := self.after(seq, CHUNK):
            yield events
            seq = events[-1].seq

    def last(self, limit: int) -> list[tuple[int, str]]:
        """Number and id of the last `limit` events that were not pruned, in order."""
        sql = f"SELECT seq, id FROM event WHERE seq > (SELECT max(seq) FROM event) - {limit} ORDER BY seq"
        return [(seq, id_) for seq, id_ in self._connection.execute(sql).fetchall()]

    def at(self, numbers: Collection[int]) -> list[Event]:
        """The events with these numbers, in order. Raises EventsPruned."""
        low, high = min(numbers), max(numbers)
        sql = f"SELECT {COLUMNS} FROM {{source}} WHERE seq BETWEEN ? AND ? ORDER BY seq"
        wanted = set(numbers)
        return [from_row(row) for row in cast(list[Row], self._rows(low - 1, sql, [low, high])) if row[0] in wanted]

    def of_commands(self, ids: Collection[str]) -> list[Event]:
        """The events of commands by id; goes through the whole table, and the archive if it is there."""
        after = 0 if self._store.reaches(0) else self._store.low
        sql = "SELECT seq FROM {source} WHERE id IN (SELECT unnest(?::VARCHAR[])) ORDER BY seq"
        return [event for (first,) in self._rows(after, sql, [list(ids)]) for event in self._together(first)]

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

    Raises LedgerDamaged, LedgerInUse when a process that is not a ledger holds it, and LedgerShort when it ends before event
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


def lock(path: Path) -> IO[str]:
    """Take the lock of the event file at `path`, until the handle is closed. Raises LedgerInUse."""
    path = path.with_name(path.name + ".lock")
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise LedgerInUse(path=path) from None
    return handle
