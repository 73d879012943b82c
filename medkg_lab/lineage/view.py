"""The view of the log that tells lineage: derives, delivers, and then saves its place with what it remembers."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from medkg_lab.ledger.view_file import Place, ViewFile
from medkg_lab.lineage.derive import Derivation, Granularity, Known
from medkg_lab.lineage.notes import BatchNote, JobNote, Notes
from medkg_lab.lineage.openlineage import Writer
from medkg_lab.lineage.sinks import Mark, Sink
from medkg_lab.models.events import BatchExpired, Event

VERSION = 1
_TABLES = (
    "CREATE TABLE job (id TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE batch (id TEXT PRIMARY KEY, note BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE mark (one INTEGER PRIMARY KEY CHECK (one = 1), inode INTEGER NOT NULL, size INTEGER NOT NULL)",
)
T = TypeVar("T")


class Lineage:
    """A view of the log for `following.follow`."""

    def __init__(self, path: Path, known: Known, granularity: Granularity, writer: Writer, sink: Sink) -> None:
        self._file = ViewFile(path, _TABLES, VERSION)
        self._known = known
        self._granularity = granularity
        self._writer = writer
        self._sink = sink
        self._mark: Mark | None = None

    @property
    def place(self) -> Place:
        """The last event of the ledger that was told of."""
        return self._file.place

    def apply(self, events: Sequence[Event]) -> None:
        """Tell of `events`. Raises LabError when they cannot be delivered; those that were not are told of again."""
        mark = self._begin()
        for first in range(0, len(events), self._sink.portion):
            portion = events[first : first + self._sink.portion]
            notes = self._notes(portion)
            derivation = Derivation(notes, self._known, self._granularity)
            lines = [self._writer.line(report) for event in portion for report in derivation.reports(event)]
            mark = self._sink.put(lines, mark) if lines else mark
            self._save(Place(portion[-1].seq, portion[-1].id), notes, mark)

    def begin_again(self, seq: int) -> None:
        """Tell of everything behind event `seq` again."""
        self._file.begin_again(seq)
        self._mark = None

    def skip(self, seq: int) -> None:
        """Go on behind event `seq`."""
        self._save(Place(seq), Notes(), self._begin())

    def _begin(self) -> Mark:
        """Where the sink is; found out once, and saved before anything is delivered."""
        if self._mark is None:
            saved = [
                Mark(int(str(inode)), int(str(size))) for inode, size in self._file.rows("SELECT inode, size FROM mark")
            ]
            self._save(self.place, Notes(), self._sink.begin(saved[0] if saved else Mark()))
        assert self._mark is not None, "it was saved just now"
        return self._mark

    def _notes(self, events: Sequence[Event]) -> Notes:
        job_ids = {job_id for event in events for job_id in event.jobs}
        batches = {event.batch for event in events if event.batch} | {
            event.data.batch for event in events if isinstance(event.data, BatchExpired)
        }
        jobs = dict(self._read("job", job_ids, JobNote))
        batches |= {note.batch for note in jobs.values() if note is not None and note.batch is not None}
        return Notes(jobs, dict(self._read("batch", batches, BatchNote)))

    def _read(self, table: str, ids: Iterable[str], kind: type[T]) -> Iterator[tuple[str, T | None]]:
        statement = f"SELECT id, note FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
        for key, note in self._file.rows(statement, msgspec.json.encode(list(ids)).decode()):
            assert isinstance(note, bytes), "it was written as bytes"
            yield str(key), msgspec.json.decode(note, type=kind)

    def _save(self, place: Place, notes: Notes, mark: Mark) -> None:
        with self._file.writing(place) as connection:
            for table, found in (("job", notes.jobs), ("batch", notes.batches)):
                kept = [(key, msgspec.json.encode(note)) for key, note in found.items() if note is not None]
                connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", kept)
                gone = [(key,) for key, note in found.items() if note is None]
                connection.executemany(f"DELETE FROM {table} WHERE id = ?", gone)
            connection.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?)", (mark.inode, mark.size))
        self._mark = mark
