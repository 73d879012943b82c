"""The counts with the place in the log up to which they were counted, in a file; and in memory for those who read them."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from medkg_lab.ledger.view_file import Place, ViewFile
from medkg_lab.metrics.counting import Counting, JobNote, Series
from medkg_lab.models.events import Event, MakesJobs

VERSION = 1
"""To be raised when events are counted in another way: the counts are then made again."""
_TABLES = (
    "CREATE TABLE series (metric TEXT, labels TEXT, part TEXT, value INTEGER NOT NULL,"
    " PRIMARY KEY (metric, labels, part)) WITHOUT ROWID",
    "CREATE TABLE job (job_id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, since REAL NOT NULL, gate TEXT,"
    " waiting REAL NOT NULL) WITHOUT ROWID",
)
_ADD = (
    "INSERT INTO series VALUES (?, ?, ?, ?)"
    " ON CONFLICT (metric, labels, part) DO UPDATE SET value = value + excluded.value"
)
_NOTES = "SELECT job_id, pipeline, since, gate, waiting FROM job WHERE job_id IN (SELECT value FROM json_each(?))"
_KEEP = "INSERT OR REPLACE INTO job VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM job WHERE job_id = ?"


class Counts:
    """A view of the log for `following.follow`; one thread feeds it, any thread reads it.

    `pipeline_of` gives the pipeline of a job whose beginning was counted long ago.
    """

    def __init__(self, path: Path, pipeline_of: Callable[[str], str]) -> None:
        self._file = ViewFile(path, _TABLES, VERSION)
        self._pipeline_of = pipeline_of
        self._lock = threading.Lock()
        self._totals: Counter[Series] = Counter(dict(self._stored()))

    @property
    def place(self) -> Place:
        """The last event that was counted."""
        return self._file.place

    def apply(self, events: Sequence[Event]) -> None:
        """Count `events`."""
        named = {job_id for event in events if not isinstance(event.data, MakesJobs) for job_id in event.jobs}
        counting = Counting(dict(self._notes(named)), self._pipeline_of)
        for event in events:
            counting.add(event)
        self._write(counting, Place(events[-1].seq, events[-1].id))
        with self._lock:
            self._totals.update(counting.added)

    def begin_again(self, seq: int) -> None:
        """Count anew, from behind event `seq`."""
        self._file.begin_again(seq)
        with self._lock:
            self._totals.clear()

    def skip(self, seq: int) -> None:
        """Go on counting behind event `seq`."""
        with self._file.writing(Place(seq)):
            pass

    def totals(self) -> Mapping[Series, int]:
        """All counts as they are now; those of histograms in parts."""
        with self._lock:
            return dict(self._totals)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _stored(self) -> Iterator[tuple[Series, int]]:
        for metric, labels, part, value in self._file.rows("SELECT metric, labels, part, value FROM series"):
            yield Series(str(metric), tuple(json.loads(str(labels))), str(part)), int(str(value))

    def _notes(self, job_ids: set[str]) -> Iterator[tuple[str, JobNote]]:
        for job_id, pipeline, since, gate, waiting in self._file.rows(_NOTES, json.dumps(list(job_ids))):
            at = None if gate is None else str(gate)
            yield str(job_id), JobNote(str(pipeline), float(str(since)), at, float(str(waiting)))

    def _write(self, counting: Counting, place: Place) -> None:
        kept = [
            (job_id, note.pipeline, note.since, note.gate, note.waiting)
            for job_id, note in counting.notes.items()
            if note is not None
        ]
        gone = [(job_id,) for job_id, note in counting.notes.items() if note is None]
        added = ((one.metric, json.dumps(one.labels), one.part, value) for one, value in counting.added.items())
        with self._file.writing(place) as connection:
            connection.executemany(_ADD, added)
            connection.executemany(_KEEP, kept)
            connection.executemany(_FORGET, gone)
