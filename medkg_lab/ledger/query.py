"""The lab's own questions to the views: lists of jobs and gates, and its own SELECTs behind a fence."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import duckdb
import orjson

from medkg_lab.ledger.answers import GateRow, JobRow, Selected, read
from medkg_lab.ledger.archive import COLUMNS, Archive
from medkg_lab.ledger.cells import plain_row
from medkg_lab.ledger.describe import list_job
from medkg_lab.ledger.errors import QueryFailed, QueryTimeout
from medkg_lab.ledger.records import job_from
from medkg_lab.ledger.select_statements import check
from medkg_lab.ledger.tables import GATE
from medkg_lab.ledger.views import Views

T = TypeVar("T")

ARCHIVE_TABLE = "event_archive"
MAX_ROWS = 100_000
MAX_QUERY_S = 300.0
MAX_GATES = 10_000
FILTERS = {
    "state": "state",
    "pipeline": "pipeline_name",
    "doc": "doc_id",
    "tenant": "tenant_id",
    "correlation": "correlation_id",
    "source": "source",
}
"""What a list of jobs can be narrowed down by, with the columns."""


_NAMED = "? IN (doc_id, if(source = 'file', 'file:' || doc_key, doc_id))"
"""Jobs of the document of this id, and of all files of this name, whatever the hash of their content."""


class QueryService:
    """Answers questions in threads of its own, each with a connection that sees the views at one moment.

    A SELECT waits for other SELECTs, never for the lists, and no commit waits for either.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._own = ThreadPoolExecutor(1, "views")
        self._selects = ThreadPoolExecutor(2, "rows")

    async def jobs(self, filters: dict[str, str], limit: int, after: str | None) -> list[JobRow]:
        """The newest jobs that fit `filters`, from the one after job `after` on."""
        return await self._in(self._own, lambda connection: _jobs(connection, filters, limit, after))

    async def gates(self, state: str | None) -> list[GateRow]:
        """The gates in `state`, or all; those that wait longest first."""
        return await self._in(self._own, lambda connection: _gates(connection, state))

    async def rows(self, sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> Selected:
        """The first `limit` rows of a SELECT. Raises QueryRefused, QueryFailed and QueryTimeout."""
        return await self._in(
            self._selects, lambda connection: _rows(connection, self._views.archive, sql, parameters, limit, timeout_s)
        )

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        def run() -> T:
            with self._views.cursor() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(pool, run)

    def close(self) -> None:
        """Wait for what is being answered."""
        self._own.shutdown(cancel_futures=True)
        self._selects.shutdown(cancel_futures=True)


def _jobs(
    connection: duckdb.DuckDBPyConnection, filters: dict[str, str], limit: int, after: str | None
) -> list[JobRow]:
    where = [_NAMED if name == "doc" else f"{FILTERS[name]} = ?" for name in filters]
    parameters: list[Any] = list(filters.values())
    if after is not None:
        where.append("age < (SELECT age FROM job WHERE job_id = ?)")
        parameters.append(after)
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    sql = f"SELECT record FROM job {condition} ORDER BY age DESC LIMIT {limit}"
    records = connection.execute(sql, parameters).fetchall()
    return [list_job(job_from(record, ())) for (record,) in records]


def _gates(connection: duckdb.DuckDBPyConnection, state: str | None) -> list[GateRow]:
    columns = ", ".join(f'"{name}"' for name in GATE.columns)
    where, parameters = ("WHERE state = ?", [state]) if state else ("", [])
    sql = f"SELECT {columns} FROM gate {where} ORDER BY waiting_since LIMIT {MAX_GATES}"
    rows = connection.execute(sql, parameters).fetchall()
    return [_gate(dict(zip(GATE.columns, row, strict=True))) for row in rows]


def _gate(values: Mapping[str, Any]) -> GateRow:
    parsed = {name: orjson.loads(values[name]) for name, kind in GATE.columns.items() if kind == "JSON"}
    return read({**values, **parsed}, GateRow)


def _rows(
    connection: duckdb.DuckDBPyConnection,
    archive: Archive,
    sql: str,
    parameters: Sequence[Any],
    limit: int,
    timeout_s: float,
) -> Selected:
    check(connection, sql)
    connection.execute(archive_view(archive)).fetchall()
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        connection.interrupt()

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    try:
        # A SELECT may call functions: whatever they are, they may only read.
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute(sql, list(parameters))
        columns = [column[0] for column in connection.description or ()]
        rows = connection.fetchmany(limit + 1)
    except duckdb.Error as error:
        if stopped.is_set():
            raise QueryTimeout(seconds=timeout_s) from None
        raise QueryFailed(detail=str(error)) from None
    finally:
        timer.cancel()
    return Selected(columns, [plain_row(row) for row in rows[:limit]], len(rows) > limit)


def archive_view(archive: Archive) -> str:
    """The statement that lets a query read the pruned events as table event_archive."""
    nothing = "(SELECT 0::BIGINT, '', 0::DOUBLE, '', '', '', '', '' LIMIT 0)"
    source = archive.relation() or f"{nothing} AS none({COLUMNS})"
    return f"CREATE OR REPLACE TEMP VIEW {ARCHIVE_TABLE} AS SELECT {COLUMNS} FROM {source}"
