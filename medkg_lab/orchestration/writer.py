"""Writing the recorder's rows into Dagster's two files, and its position beside them.

The runs come first and in a way that repeating does no harm; the log lines, the recorder's memory and its position are one
transaction of the other file. A crash between the two files therefore only repeats the first part.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from medkg_lab.orchestration.rows import Rows, RunRow, timestamp
from medkg_lab.orchestration.storage import BUSY_TIMEOUT_S, PRAGMAS, RUNS_LOCK, events_file, runs_file
from medkg_lab.orchestration.templates import STATUS_NAMES

_MEMORY = "CREATE TABLE IF NOT EXISTS medkg_recorder (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_CLAIMS = "CREATE TABLE IF NOT EXISTS medkg_claims (at REAL NOT NULL, seq INTEGER PRIMARY KEY)"
_KEEP_CLAIM = "INSERT OR IGNORE INTO medkg_claims (at, seq) VALUES (?, ?)"
_POSITION = "position"
_INSERT_RUN = """
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp, update_timestamp, start_time)
    VALUES (?, ?, ?, 'STARTED', ?, ?, ?, ?)
"""
_INSERT_TAG = "INSERT INTO run_tags (run_id, key, value) VALUES (?, ?, ?)"
_SET_STATUS = """
    UPDATE runs SET status = ?, run_body = json_set(run_body, '$.status', json(?)), update_timestamp = ?,
        start_time = coalesce(start_time, ?), end_time = ? WHERE run_id = ?
"""
_SET_BODY_TAG = "UPDATE runs SET run_body = json_set(run_body, ?, ?) WHERE run_id = ?"
_SET_TAG = "UPDATE run_tags SET value = ? WHERE run_id = ? AND key = ?"
_INSERT_EVENT = "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key) VALUES (?, ?, ?, ?, ?)"
_KEEP = "INSERT INTO medkg_recorder (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_FORGET = "DELETE FROM medkg_recorder WHERE key = ?"


class RunWriter:
    """The one bulk writer of Dagster's files; they must exist already."""

    def __init__(self, folder: Path) -> None:
        self._runs = connect(runs_file(folder))
        self._events = connect(events_file(folder))
        self._events.execute(_MEMORY)
        self._events.execute(_CLAIMS)

    def close(self) -> None:
        """Release the files."""
        self._runs.close()
        self._events.close()

    def position(self) -> int:
        """The `seq` of the last ledger event that is written."""
        row = self._events.execute("SELECT value FROM medkg_recorder WHERE key = ?", (_POSITION,)).fetchone()
        return int(row[0]) if row else 0

    def memory(self) -> list[tuple[str, str]]:
        """What the recorder stored to remember."""
        return self._events.execute("SELECT key, value FROM medkg_recorder WHERE key != ?", (_POSITION,)).fetchall()

    def has_run(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        return self._runs.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None

    def write(self, rows: Rows, memory: dict[str, str | None], position: int) -> None:
        """Make everything visible and move the position."""
        if rows.runs or rows.statuses or rows.tags:
            with RUNS_LOCK, transaction(self._runs) as cursor:
                self._write_runs(cursor, rows)
        self._write_events(rows, memory, position)

    def _write_runs(self, cursor: sqlite3.Cursor, rows: Rows) -> None:
        self._insert(cursor, rows.runs)
        for change in rows.statuses:
            at = timestamp(change.at)
            end = change.at if change.ended else None
            cursor.execute(_SET_STATUS, (change.status, STATUS_NAMES[change.status], at, change.at, end, change.run_id))
        for tag in rows.tags:
            body = cursor.execute(_SET_BODY_TAG, (f'$.tags."{tag.key}"', tag.value, tag.run_id))
            if body.rowcount and cursor.execute(_SET_TAG, (tag.value, tag.run_id, tag.key)).rowcount == 0:
                cursor.execute(_INSERT_TAG, tag)

    def _insert(self, cursor: sqlite3.Cursor, runs: Sequence[RunRow]) -> None:
        new = [run for run in runs if not self._known(cursor, run.run_id)]
        cursor.executemany(
            _INSERT_RUN,
            [
                (run.run_id, run.snapshot_id, run.job_name, run.body, at := timestamp(run.began), at, run.began)
                for run in new
            ],
        )
        cursor.executemany(_INSERT_TAG, [(run.run_id, *tag) for run in new for tag in run.tags.items()])

    @staticmethod
    def _known(cursor: sqlite3.Cursor, run_id: str) -> bool:
        return cursor.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None

    def _write_events(self, rows: Rows, memory: dict[str, str | None], position: int) -> None:
        with transaction(self._events) as cursor:
            cursor.executemany(
                _INSERT_EVENT, [(row.run_id, row.text, row.kind, timestamp(row.at), row.step) for row in rows.log]
            )
            cursor.executemany(_KEEP_CLAIM, rows.claims)
            cursor.executemany(_FORGET, [(key,) for key, value in memory.items() if value is None])
            cursor.executemany(_KEEP, [(key, value) for key, value in memory.items() if value is not None])
            cursor.execute(_KEEP, (_POSITION, str(position)))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """Everything inside, or nothing."""
    cursor = connection.execute("BEGIN IMMEDIATE")
    try:
        yield cursor
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def connect(path: Path) -> sqlite3.Connection:
    """Open one of Dagster's files beside Dagster; transactions are begun and ended by hand."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection
