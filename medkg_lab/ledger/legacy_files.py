"""Reading an older ledger's entries from a file: JSON lines, or a table of a DuckDB or SQLite database."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import orjson

from medkg_lab.files import open_regular
from medkg_lab.ledger.errors import LegacyUnreadable

MAX_LINE_BYTES = 4 * 1024 * 1024
_SQLITE = b"SQLite format 3\x00"
_DUCKDB = b"DUCK"
_DUCKDB_AT = 8
_CHUNK = 1000


def entries(path: Path, table: str | None = None) -> Iterator[dict[str, object] | str]:
    """The entries in order; for a line that cannot be read, the reason instead. Raises LegacyUnreadable."""
    try:
        with open_regular(path, sys.maxsize) as handle:
            head = handle.read(16)
        if head == _SQLITE:
            yield from _sqlite(path, table)
        elif head[_DUCKDB_AT : _DUCKDB_AT + 4] == _DUCKDB:
            yield from _duckdb(path, table)
        else:
            yield from _lines(path)
    except (OSError, duckdb.Error, sqlite3.Error) as error:
        raise LegacyUnreadable(path=path, detail=str(error).splitlines()[0]) from error


def _lines(path: Path) -> Iterator[dict[str, object] | str]:
    with open_regular(path, sys.maxsize) as handle:
        while line := handle.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise LegacyUnreadable(path=path, detail=f"a line is longer than {MAX_LINE_BYTES} bytes")
            if line.strip():
                yield _entry(line)


def _entry(line: bytes) -> dict[str, object] | str:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return value if isinstance(value, dict) else "not a JSON object"


def _sqlite(path: Path, table: str | None) -> Iterator[dict[str, object]]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(name)})")] for name in names
        }
        chosen = _chosen(path, columns, table)
        cursor = connection.execute(f"SELECT * FROM {_quoted(chosen)}")
        while rows := cursor.fetchmany(_CHUNK):
            yield from (dict(zip(columns[chosen], row, strict=True)) for row in rows)


def _duckdb(path: Path, table: str | None) -> Iterator[dict[str, object]]:
    with duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}) as connection:
        columns: dict[str, list[str]] = {}
        listed = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
        for name, column in connection.execute(listed).fetchall():
            columns.setdefault(name, []).append(column)
        chosen = _chosen(path, columns, table)
        connection.execute(f"SELECT * FROM {_quoted(chosen)}")
        while rows := connection.fetchmany(_CHUNK):
            yield from (dict(zip(columns[chosen], row, strict=True)) for row in rows)


def _chosen(path: Path, columns: dict[str, list[str]], table: str | None) -> str:
    """The table to read: the one that is named, or the only one that has jobs. Raises LegacyUnreadable."""
    fitting = [name for name, names in columns.items() if "job_id" in names and table in (None, name)]
    if len(fitting) != 1:
        raise LegacyUnreadable(path=path, detail=_tables_text(table, fitting))
    return fitting[0]


def _tables_text(table: str | None, fitting: Sequence[str]) -> str:
    if table is not None:
        return f"it has no table {table} with a column job_id"
    return f"name one of its tables: {', '.join(fitting)}" if fitting else "none of its tables has a column job_id"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
