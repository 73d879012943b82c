"""Events in Parquet files: where pruned ones go, and what a snapshot is made of."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from medkg_lab.files import sync
from medkg_lab.ledger import files
from medkg_lab.ledger.errors import ArchiveNotWritten

COLUMNS = "seq, id, ts, type, stage, batch, jobs, data"
_NAME = re.compile(r"events-(\d{12})-(\d{12})\.parquet\Z")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A file with the events from `first` to `last`."""

    first: int
    last: int
    path: Path


class Archive:
    """A folder of Parquet files, each with a stretch of events in order, none twice. Files are never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def parts(self) -> list[Part]:
        """The files, in order."""
        found = ((_NAME.match(path.name), path) for path in self.folder.glob("events-*.parquet"))
        return sorted(Part(int(match[1]), int(match[2]), path) for match, path in found if match)

    @property
    def last(self) -> int:
        """The number of the last event here; 0 when there is none."""
        return max((part.last for part in self.parts()), default=0)

    def covers(self, first: int, last: int) -> bool:
        """Whether every event from `first` to `last` is here."""
        needed = first
        for part in self.parts():
            if part.first <= needed <= part.last:
                needed = part.last + 1
        return needed > last

    def reach(self, upto: int) -> int:
        """The number of the last event before the unbroken stretch here that ends with event `upto`."""
        for part in reversed(self.parts()):
            if part.first <= upto <= part.last:
                upto = part.first - 1
        return upto

    def drop(self, upto: int) -> int:
        """Remove the files with events up to `upto` alone, the oldest first; how many."""
        gone = [part for part in self.parts() if part.last <= upto]
        for part in gone:
            files.remove(part.path)
        return len(gone)

    def relation(self, after: int = 0) -> str | None:
        """SQL for what stands after an event, None when that is nothing."""
        return relation([part.path for part in self.parts() if part.last > after])

    def write(self, connection: duckdb.DuckDBPyConnection, first: int, last: int) -> Part:
        """Write the events from `first` to `last` of table event. Raises ArchiveNotWritten; nothing is left behind then."""
        path = self.folder / f"events-{first:012d}-{last:012d}.parquet"
        part = path.with_suffix(".part")
        chosen = f"SELECT {COLUMNS} FROM event WHERE seq BETWEEN {first} AND {last} ORDER BY seq"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection.execute(f"COPY ({chosen}) TO {quoted(part)} (FORMAT parquet, COMPRESSION zstd)").fetchall()
            _compare(connection, chosen, part, last - first + 1)
            files.publish(part, path)
        except (duckdb.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise ArchiveNotWritten(path=path, detail=str(error).splitlines()[0]) from error
        return Part(first, last, path)

    def adopt(self, other: "Archive") -> None:
        """Take all files of another archive in, without copying where the file system can."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in other.parts():
            for path in (part.path, files.checksum_file(part.path)):
                _link(path, self.folder / path.name)


def relation(paths: Sequence[Path]) -> str | None:
    """SQL that reads Parquet files; None when there are none."""
    return f"read_parquet([{', '.join(map(quoted, paths))}])" if paths else None


def quoted(path: Path) -> str:
    """A path as a text in SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def _compare(connection: duckdb.DuckDBPyConnection, chosen: str, part: Path, count: int) -> None:
    """Read a file that was just written back and compare it with what it was written from."""
    sums = f"SELECT count(*), bit_xor(hash({COLUMNS})) FROM"
    written = connection.execute(f"{sums} read_parquet({quoted(part)})").fetchone()
    meant = connection.execute(f"{sums} ({chosen})").fetchone()
    if written != meant or written is None or written[0] != count:
        raise OSError(f"it reads back as {written}, not as {meant}")


def _link(path: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
        sync(target)
