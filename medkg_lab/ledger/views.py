"""The view file: the tables that anyone may query, and what the ledger's memory is brought back from.

It follows the events and may be deleted at any time: it is made again from them.
"""

import hashlib
import logging
import shutil
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from medkg_lab.ledger.archive import Archive, quoted
from medkg_lab.ledger.ports import ViewsBusy
from medkg_lab.ledger.projection import Changes
from medkg_lab.ledger.records import job_from, state_from
from medkg_lab.ledger.state import FINISHED, DocumentKey, Job, Published, StageRun, State
from medkg_lab.ledger.tables import (
    ARTIFACT,
    DEFINITION,
    DOCUMENT,
    POSITION,
    PROVENANCE,
    STAGE_RUN,
    TABLES,
    Row,
    Table,
    published,
    stage_run,
)
from medkg_lab.ledger.view_questions import DuckDbQuestions
from medkg_lab.logs import fields

log = logging.getLogger(__name__)

_RECORDS = "2"
"""The version of what the records of jobs remember; since 2 also the artifacts that stood behind fields before."""
SCHEMA = hashlib.sha256("\n".join([*(table.ddl for table in TABLES), _RECORDS]).encode()).hexdigest()
MEMORY_LIMIT = "1GiB"
"""What all queries and writes of the view file may take together."""
_FENCE = (
    "SET threads=1",
    f"SET memory_limit='{MEMORY_LIMIT}'",
    "SET temp_directory=''",
    "SET autoinstall_known_extensions=false",
    "SET autoload_known_extensions=false",
    "SET allowed_directories=[{archive}]",
    "SET enable_external_access=false",
    "SET lock_configuration=true",
)
Digests = dict[str, tuple[int, Any]]
_RUN_COLUMNS = ", ".join(f'"{name}"' for name in list(STAGE_RUN.columns)[:-1])

_REMOVE_DOCUMENTS = (
    f"DELETE FROM {DOCUMENT.name} WHERE (tenant_id, doc_id) IN "
    "(SELECT (tenant, doc) FROM (SELECT unnest(?::VARCHAR[]) AS tenant, unnest(?::VARCHAR[]) AS doc))"
)


class Views:
    """The view file; one thread writes, each reader has a `ViewReader` of its own."""

    def __init__(self, path: Path, archive: Path) -> None:
        """Open the file, or make it anew when it is missing, damaged or of another schema.

        `archive` is the one folder whose files a query may read.
        """
        self.path = path
        self.archive = Archive(archive)
        self._writing = threading.Lock()
        try:
            self._open()
        except duckdb.Error as error:
            log.warning(
                "the views at %s cannot be used (%s); they are made again",
                path,
                str(error).splitlines()[0],
                extra=fields(event="views.discarded"),
            )
            self.discard()
        self.seq = self.reader().position()

    def _open(self) -> None:
        fresh = not self.path.exists()
        self._connection = duckdb.connect(str(self.path))
        for statement in _FENCE:
            self._connection.execute(statement.format(archive=quoted(self.archive.folder))).fetchall()
        if fresh:
            self._create()
        elif self._connection.execute("SELECT record FROM memory WHERE name = 'schema'").fetchall() != [
            (f'"{SCHEMA}"',)
        ]:
            self._connection.close()
            log.warning(
                "the views at %s have another schema; they are made again",
                self.path,
                extra=fields(event="views.discarded"),
            )
            self.discard()

    def _create(self) -> None:
        self._connection.execute("BEGIN")
        for table in TABLES:
            self._connection.execute(table.ddl).fetchall()
        self._connection.execute("INSERT INTO memory VALUES ('schema', ?)", [f'"{SCHEMA}"']).fetchall()
        self._connection.execute("COMMIT")

    def discard(self) -> None:
        """Start again with an empty file."""
        if hasattr(self, "_connection"):
            self._connection.close()
        remove(self.path)
        self._open()
        self.seq = 0

    def replace(self, fold: Path) -> None:
        """Go on from a copy of a view file instead."""
        self._connection.close()
        remove(self.path)
        shutil.copyfile(fold, self.path)
        self._open()
        self.seq = self.reader().position()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Between two writings: inside the block the files stay as they are. From any thread."""
        with self._writing:
            yield

    def copy_to(self, target: Path) -> int:
        """Copy the file as it stands between two writings; the number of the last event in it. From any thread."""
        with self._writing:
            for path, copy in zip(_both(self.path), _both(target), strict=True):
                if path.exists():
                    shutil.copyfile(path, copy)
            return self.seq

    def project(self, changes: Changes) -> None:
        """Write the rows of `changes` in one transaction. Raises ViewsBusy and duckdb.Error; nothing was written then."""
        with self._writing:
            try:
                self._project(changes)
            except duckdb.OutOfMemoryException as error:
                raise ViewsBusy(detail=str(error).splitlines()[0]) from error

    def _project(self, changes: Changes) -> None:
        self._connection.execute("BEGIN")
        try:
            for table, rows in changes.rows.items():
                self._write(table, rows)
            self._remove(changes)
            self._write(POSITION, [("tables", changes.seq)])
            self._connection.execute("COMMIT")
        except duckdb.Error:
            self._connection.execute("ROLLBACK")
            raise
        self.seq = changes.seq

    def _write(self, table: Table, rows: Sequence[Row]) -> None:
        self._connection.execute(table.write, [list(column) for column in zip(*rows, strict=True)]).fetchall()

    def _remove(self, changes: Changes) -> None:
        if changes.gone:
            keys = [list(column) for column in zip(*changes.gone, strict=True)]
            self._connection.execute(_REMOVE_DOCUMENTS, keys).fetchall()
        for table in (ARTIFACT, PROVENANCE) if changes.emptied else ():
            sql = f"DELETE FROM {table.name} WHERE list_contains(?::VARCHAR[], job_id)"
            self._connection.execute(sql, [list(changes.emptied)]).fetchall()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection for another thread."""
        return self._connection.cursor()

    def reader(self) -> "ViewReader":
        """A reader for another thread."""
        return ViewReader(self.cursor())

    @contextmanager
    def questions(self) -> Iterator[DuckDbQuestions]:
        """The views of this moment, to be asked inside the block."""
        with self.cursor() as connection:
            yield DuckDbQuestions(connection, self.archive)

    def digests(self) -> Digests:
        """Of each table the number of its rows and a sum over them that does not depend on their order."""
        with self.cursor() as connection:
            return digests(connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def digests(connection: duckdb.DuckDBPyConnection) -> Digests:
    """What `Views.digests` says, of the view file that is open here."""
    return {table.name: _digest(connection, table) for table in TABLES}


def _digest(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, Any]:
    columns = ", ".join(f'"{name}"' for name in table.columns)
    row = connection.execute(f"SELECT count(*), sum(hash({columns})) FROM {table.name}").fetchone()
    return row or (0, None)


def digests_at(path: Path, head: int) -> Digests | None:
    """Those of the view file at `path`, which nobody has open; None when it does not end at event `head`, or is damaged."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            shown = connection.execute("SELECT seq FROM position WHERE name = 'tables'").fetchone()
            return digests(connection) if shown == (head,) else None
    except duckdb.Error as error:
        log.warning(
            "the old views cannot be read: %s", str(error).splitlines()[0], extra=fields(event="views.unreadable")
        )
        return None


def remove(path: Path) -> None:
    """Remove a view file and its write-ahead log, if they are there."""
    for each in _both(path):
        each.unlink(missing_ok=True)


def log_of(path: Path) -> Path:
    """The write-ahead log of a DuckDB file."""
    return path.with_name(path.name + ".wal")


def _both(path: Path) -> tuple[Path, Path]:
    return path, log_of(path)


class ViewReader:
    """Brings back what the views remember; for one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def position(self) -> int:
        """The number of the last event that the tables show."""
        row = self._connection.execute("SELECT seq FROM position WHERE name = 'tables'").fetchone()
        return int(row[0]) if row else 0

    def load(self) -> State:
        """The state at `position`, without the finished jobs."""
        definitions = self._connection.execute(f"SELECT * FROM {DEFINITION.name}").fetchall()
        memory = dict(self._connection.execute("SELECT name, record FROM memory").fetchall())
        names = ", ".join(f"'{each.value}'" for each in sorted(FINISHED))
        state = state_from(self.position(), definitions, memory, self._jobs(f"state NOT IN ({names})", []))
        state.job_counts = self._counts("job")
        state.gate_counts = self._counts("gate")
        return state

    def jobs(self, ids: Collection[str]) -> list[Job]:
        """The jobs with these ids, finished or not."""
        return list(self._jobs("job_id IN (SELECT unnest(?::VARCHAR[]))", [list(ids)])) if ids else []

    def _jobs(self, where: str, parameters: list[object]) -> Iterator[Job]:
        chosen = f"SELECT job_id FROM job WHERE {where}"
        sql = f"SELECT {_RUN_COLUMNS} FROM stage_run WHERE job_id IN ({chosen}) ORDER BY job_id, place"
        runs: dict[str, list[StageRun]] = {}
        for row in self._connection.execute(sql, parameters).fetchall():
            runs.setdefault(row[0], []).append(stage_run(row))
        for job_id, record in self._connection.execute(
            f"SELECT job_id, record FROM job WHERE {where}", parameters
        ).fetchall():
            yield job_from(record, runs.get(job_id, ()))

    def _counts(self, table: str) -> Counter[str]:
        rows = self._connection.execute(f"SELECT state, count(*) FROM {table} GROUP BY state").fetchall()
        return Counter(dict(rows))

    def documents(self, keys: Iterable[DocumentKey]) -> dict[DocumentKey, Published]:
        """The job that last completed for each of these documents, where there is one."""
        tenants, docs = zip(*keys, strict=True)
        wanted = "SELECT unnest(?::VARCHAR[]) AS tenant_id, unnest(?::VARCHAR[]) AS doc_id"
        sql = f"SELECT {DOCUMENT.name}.* FROM {DOCUMENT.name} JOIN ({wanted}) USING (tenant_id, doc_id)"
        return dict(map(published, self._connection.execute(sql, [list(tenants), list(docs)]).fetchall()))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
