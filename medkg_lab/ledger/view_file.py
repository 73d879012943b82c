"""A SQLite file that one view of the log keeps: its tables, and the place in the log up to which they are true.

Both change in one transaction, so that a process that is killed at any moment neither loses what an event did to the tables nor
does it twice.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.logs import fields

log = logging.getLogger(__name__)

_PLACE = "CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, id TEXT NOT NULL)"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_SUFFIXES = ("", "-wal", "-shm")
BUSY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """The last event that a view has taken in: its number, and its id where that is known."""

    seq: int
    id: str = ""


class ViewFile:
    """The file at `path`, for one thread at a time; made anew when it is missing, damaged or of another `version`.

    `tables` are the statements that make its tables.
    """

    def __init__(self, path: Path, tables: Sequence[str], version: int) -> None:
        self._path = path
        self._tables = tables
        self._version = version
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            log.warning("%s is made again: %s", path, error, extra=fields(event="view.discarded"))
            for suffix in _SUFFIXES:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._connection = self._open()
        self.place = Place(*self._connection.execute("SELECT seq, id FROM place").fetchone())

    def _open(self) -> sqlite3.Connection:
        """Raises sqlite3.DatabaseError."""
        self._path.touch(mode=0o600)
        found = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        found.execute("PRAGMA journal_mode = WAL")
        found.execute("PRAGMA synchronous = NORMAL")
        version = found.execute("PRAGMA user_version").fetchone()[0]
        if version != self._version:
            self._make(found)
        return found

    def _make(self, connection: sqlite3.Connection) -> None:
        """Empty the file: what it held can be made again from the log."""
        connection.execute("BEGIN IMMEDIATE")
        for (name,) in connection.execute(_TABLES).fetchall():
            connection.execute(f'DROP TABLE "{name}"')
        for statement in (_PLACE, *self._tables):
            connection.execute(statement)
        connection.execute("INSERT INTO place VALUES (1, 0, '')")
        connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")

    @contextmanager
    def writing(self, place: Place) -> Iterator[sqlite3.Connection]:
        """One transaction, which also moves the view to `place`."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("UPDATE place SET seq = ?, id = ?", (place.seq, place.id))
        self.place = place

    def rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """The rows of a SELECT."""
        return self._connection.execute(statement, parameters).fetchall()

    def begin_again(self, seq: int) -> None:
        """Empty the tables and stand behind event `seq`."""
        self._make(self._connection)
        with self.writing(Place(seq)):
            pass

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
