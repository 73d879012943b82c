"""Keeping Dagster's files from filling the disk: the oldest finished runs go, with their log lines.

Dagster itself prunes only the ticks of sensors. What is forgotten is told to the ledger first, as the number of the last event by
which a run that is gone began: above it the view is still whole.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from medkg_lab.orchestration.rows import timestamp
from medkg_lab.orchestration.storage import RUNS_LOCK, events_file, runs_file
from medkg_lab.orchestration.writer import connect, transaction
from medkg_lab.settings import DagsterSettings

DAY_S = 86_400.0
AT_ONCE = 200
"""Runs in one transaction, so that neither the recorder nor a page waits long for it."""
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_OLDEST = """
    SELECT run_id, coalesce(start_time, unixepoch(create_timestamp)) FROM runs
    WHERE status IN (?, ?, ?) AND (id <= ? OR update_timestamp < ?) ORDER BY id
"""
_RUNLESS = "DELETE FROM event_logs WHERE run_id = '' AND timestamp < ?"


class Pruner:
    """Prunes one lab's Dagster files.

    `in_use` says of a run whether the recorder still changes it; `forgot` is told the event that all that is gone came before.
    """

    def __init__(
        self,
        folder: Path,
        keep: DagsterSettings,
        in_use: Callable[[str], bool],
        forgot: Callable[[int], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._runs = connect(runs_file(folder))
        self._events = connect(events_file(folder))
        self._keep = keep
        self._in_use = in_use
        self._forgot = forgot
        self._now = now

    def close(self) -> None:
        """Release the files."""
        self._runs.close()
        self._events.close()

    def prune(self) -> int:
        """Remove some runs that are too many or too old, AT_ONCE at most; how many."""
        too_old = timestamp(self._now() - self._keep.keep_days * DAY_S)
        found = self._runs.execute(_OLDEST, (*_ENDED, self._surplus(), too_old))
        gone = list(islice(((run_id, began) for run_id, began in found if not self._in_use(run_id)), AT_ONCE))
        found.close()
        if gone:
            self._forgot(self._last_claim(max(began for _, began in gone)))
            self._remove([run_id for run_id, _ in gone])
        with transaction(self._events) as cursor:
            cursor.execute(_RUNLESS, (too_old,))
        return len(gone)

    def _surplus(self) -> int:
        """The id of the newest run that is beyond the number to keep; ids count up."""
        row = self._runs.execute(
            "SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?", (self._keep.keep_runs,)
        ).fetchone()
        return int(row[0]) if row else 0

    def _last_claim(self, began: float) -> int:
        row = self._events.execute("SELECT max(seq) FROM medkg_claims WHERE at <= ?", (began,)).fetchone()
        return int(row[0] or 0)

    def _remove(self, runs: Sequence[str]) -> None:
        with transaction(self._events) as cursor:
            _delete(
                cursor,
                "DELETE FROM asset_event_tags WHERE event_id IN (SELECT id FROM event_logs WHERE run_id = ?)",
                runs,
            )
            _delete(cursor, "DELETE FROM event_logs WHERE run_id = ?", runs)
        with RUNS_LOCK, transaction(self._runs) as cursor:
            _delete(cursor, "DELETE FROM run_tags WHERE run_id = ?", runs)
            _delete(cursor, "DELETE FROM runs WHERE run_id = ?", runs)


def _delete(cursor: sqlite3.Cursor, statement: str, runs: Sequence[str]) -> None:
    cursor.executemany(statement, [(run_id,) for run_id in runs])
