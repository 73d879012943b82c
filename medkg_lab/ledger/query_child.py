"""`python -m medkg_lab.ledger.query_child ARCHIVE`: runs SELECTs from outside, one after the other, each on a copy of the views.

Whatever a query does, it does it here: to a process that may take so much memory and no file, and that its parent ends when the
query's time is over. Requests come on stdin and answers go to stdout, each with its length in four bytes (big-endian) before it.
The first answer says that the process is ready; the others are `R` and the result as JSON, or `E` and `{"error", "detail"}` with
the name of an error of the ledger.
"""

import os
import resource
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import msgspec
import orjson

from medkg_lab import linux
from medkg_lab.ledger.cells import plain
from medkg_lab.ledger.errors import LedgerError, QueryFailed, QueryTooLarge
from medkg_lab.ledger.select_statements import check

MEMORY_BYTES = 1024 * 1024 * 1024
"""Bytes of address space that queries may take, beyond what the process has when it starts."""
DATABASE_MEMORY = "512MiB"
MAX_CELL_BYTES = 1024 * 1024
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_DETAIL = 4000
ROWS_AT_ONCE = 256
READY = b"ready"
CPU_MARGIN = 5
NICENESS = 5
_FENCE = (
    "SET threads=1",
    f"SET memory_limit='{DATABASE_MEMORY}'",
    "SET temp_directory=''",
    "SET autoinstall_known_extensions=false",
    "SET autoload_known_extensions=false",
    "SET allowed_directories=[{archive}]",
    "SET enable_external_access=false",
    "SET lock_configuration=true",
)


class Request(msgspec.Struct, frozen=True):
    """A SELECT, on the copy of the views in a file and the archive as `archive_view` makes it."""

    sql: str
    parameters: list[Any]
    limit: int
    timeout_s: float
    copy: str
    archive_view: str


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no result: the name of an error of this package, and its detail."""

    error: str
    detail: str


def main() -> None:
    """Answer requests until stdin ends."""
    linux.die_with_parent()
    archive = sys.argv[1]
    bound()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not end up among the answers
    _write_message(answers, READY)
    while (request := read_message(requests)) is not None:
        given = msgspec.json.decode(request, type=Request)
        _bound_time(given.timeout_s)
        _write_message(answers, answer(archive, given))


def answer(archive: str, given: Request) -> bytes:
    """The answer to one request."""
    try:
        return b"R" + run(archive, given)
    except LedgerError as error:
        return _error(error)
    except (MemoryError, duckdb.OutOfMemoryException):
        return _error(QueryTooLarge(detail="it needs more memory than a query may take"))
    except (duckdb.Error, ValueError, TypeError, RuntimeError) as error:
        return _error(QueryFailed(detail=str(error)))


def bound() -> None:
    """Limit what this process may take, whatever it is made to do."""
    os.nice(NICENESS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    for what, most in ((resource.RLIMIT_AS, limit), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _bound_time(seconds: float) -> None:
    """End this process if it computes for longer than its query has; its parent may be too busy to."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + CPU_MARGIN
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def read_message(source: BinaryIO) -> bytes | None:
    """The next message; None at the end."""
    head = source.read(4)
    return source.read(struct.unpack(">I", head)[0]) if len(head) == 4 else None


def _write_message(target: BinaryIO, message: bytes) -> None:
    target.write(struct.pack(">I", len(message)) + message)
    target.flush()


def _error(error: LedgerError) -> bytes:
    detail = str(error.fields["detail"]).encode("utf-8", "backslashreplace").decode()
    return b"E" + msgspec.json.encode(Refusal(type(error).__name__, detail[:MAX_DETAIL]))


def run(archive: str, given: Request) -> bytes:
    """The result of one request, encoded. Raises LedgerError, duckdb.Error, and what encoding raises."""
    with duckdb.connect(given.copy, read_only=True) as connection:
        for statement in _FENCE:
            connection.execute(statement.format(archive=archive)).fetchall()
        check(connection, given.sql)
        connection.execute(given.archive_view).fetchall()
        # A SELECT may call functions: whatever they are, they may only read.
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute(given.sql, given.parameters)
        return _encode(connection, given.limit)


def _encode(connection: duckdb.DuckDBPyConnection, limit: int) -> bytes:
    columns = [column[0] for column in connection.description or ()]
    rows: list[bytes] = []
    size = 0
    while len(rows) <= limit and (some := connection.fetchmany(min(ROWS_AT_ONCE, limit + 1 - len(rows)))):
        for row in some:
            encoded = _row(row, columns)
            size += len(encoded) + 1
            if size > MAX_ANSWER_BYTES:
                raise QueryTooLarge(detail=f"its answer has more than {MAX_ANSWER_BYTES >> 20} MiB")
            rows.append(encoded)
    head = orjson.dumps({"columns": columns, "truncated": len(rows) > limit})
    return head[:-1] + b',"rows":[' + b",".join(rows[:limit]) + b"]}"


def _row(row: Sequence[Any], columns: Sequence[str]) -> bytes:
    cells = [_cell(value, name) for value, name in zip(row, columns, strict=True)]
    return b"[" + b",".join(cells) + b"]"


def _cell(value: Any, column: str) -> bytes:
    too_long = isinstance(value, str | bytes) and len(value) > MAX_CELL_BYTES
    encoded = b"" if too_long else orjson.dumps(plain(value))
    if too_long or len(encoded) > MAX_CELL_BYTES:
        raise QueryTooLarge(detail=f"a cell of column {column:.80} has more than {MAX_CELL_BYTES >> 20} MiB")
    return encoded


if __name__ == "__main__":
    main()
