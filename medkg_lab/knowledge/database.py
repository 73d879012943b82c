"""The DuckDB file: one connection that writes, a cursor per thread that reads, and what both need."""

import logging
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from medkg_lab.files import sync
from medkg_lab.knowledge import schema
from medkg_lab.knowledge.errors import KnowledgeDamaged
from medkg_lab.logs import fields

_LOG = logging.getLogger(__name__)

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "threads": min(2, os.cpu_count() or 1),
    # Nothing may be fetched at run time.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class Database:
    """The knowledge store's file, made when it is missing. Raises KnowledgeDamaged when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._writer = duckdb.connect(str(path), config=_CONFIG)
            self._prepare()
        except duckdb.Error as error:
            raise KnowledgeDamaged(path=path, detail=str(error).splitlines()[0]) from error
        self._readers = threading.local()
        self._types = self._column_types()

    def _prepare(self) -> None:
        if not self._writer.execute("SELECT count(*) FROM duckdb_tables()").fetchall()[0][0]:
            with self.transaction() as writer:
                writer.execute(schema.TABLES.format(version=schema.VERSION))
        version = self.position("schema", self._writer)
        while version in schema.UPGRADES:
            with self.transaction() as writer:
                writer.execute(schema.UPGRADES[version])
                self.move("schema", version + 1)
            _LOG.info(
                "the knowledge store was brought from format %d to %d",
                version,
                version + 1,
                extra=fields(event="store.upgraded"),
            )
            version += 1
        if version != schema.VERSION:
            detail = f"it has format {version} and this program reads formats up to {schema.VERSION}"
            self._writer.close()
            raise KnowledgeDamaged(path=self.path, detail=detail)

    def _column_types(self) -> dict[str, list[str]]:
        rows = self._writer.execute(
            "SELECT table_name, data_type FROM duckdb_columns() ORDER BY table_name, column_index"
        )
        types: dict[str, list[str]] = {}
        for table, kind in rows.fetchall():
            types.setdefault(table, []).append(kind)
        return types

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction of the writing thread: durable when the block ends well, undone when it raises."""
        self._writer.execute("BEGIN")
        try:
            yield self._writer
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, from any thread: what was committed when it began."""
        reader: duckdb.DuckDBPyConnection | None = getattr(self._readers, "cursor", None)
        if reader is None:
            reader = self._readers.cursor = self._writer.cursor()
        return reader.execute(query, list(parameters)).fetchall()

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows of the writing thread's transaction, in the order of the table's columns, all by one statement."""
        if rows:
            columns = ", ".join(f"unnest(?::{kind}[])" for kind in self._types[table])
            self._writer.execute(f"INSERT INTO {table} SELECT {columns}", [list(c) for c in zip(*rows, strict=True)])

    def position(self, name: str, connection: duckdb.DuckDBPyConnection | None = None) -> int:
        """A saved counter: `ledger` (the last event taken in), `revision` (publications so far), or the last id given out."""
        query = "SELECT seq FROM position WHERE name = ?"
        rows = self.rows(query, [name]) if connection is None else connection.execute(query, [name]).fetchall()
        return int(rows[0][0]) if rows else 0

    def advance(self, name: str, by: int) -> int:
        """Move a counter on within the writing thread's transaction and return what it was."""
        before = self.position(name, self._writer)
        self.move(name, before + by)
        return before

    def move(self, name: str, seq: int) -> None:
        """Set a counter within the writing thread's transaction."""
        self._writer.execute("UPDATE position SET seq = ? WHERE name = ?", [seq, name])

    def manifest(self) -> tuple[str, int] | None:
        """The model and the dimension of the vectors, or None while there are none."""
        rows = self.rows("SELECT model, dimension FROM manifest WHERE EXISTS (SELECT 1 FROM vector)")
        return (rows[0][0], rows[0][1]) if rows else None

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, from the writing thread; a search that runs meanwhile puts it off."""
        try:
            self._writer.execute("CHECKPOINT").fetchall()
        except duckdb.TransactionException:
            _LOG.info("the store is searched: what was deleted leaves its file later", extra=fields(event="store.busy"))

    def copy_to(self, target: Path) -> int:
        """Copy the store to a new file, from the writing thread; the number of the last event that was taken in."""
        for ending in ("", ".wal"):  # nothing is written meanwhile, so that the two belong together
            source = self.path.with_name(self.path.name + ending)
            if source.exists():
                copy = target.with_name(target.name + ending)
                shutil.copyfile(source, copy)
                sync(copy)
        return self.position("ledger", self._writer)

    def close(self) -> None:
        """Write everything into the file itself and let go of it."""
        self._writer.close()
