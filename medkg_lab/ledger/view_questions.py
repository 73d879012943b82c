"""What is asked of the view tables in SQL: lists of jobs and gates, and the lab's own SELECTs behind a fence."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from medkg_lab.ledger.answers import GateRow, JobRow, Selected
from medkg_lab.ledger.archive import COLUMNS, Archive
from medkg_lab.ledger.cells import plain_row
from medkg_lab.ledger.describe import list_job
from medkg_lab.ledger.errors import QueryFailed, QueryTimeout
from medkg_lab.ledger.query import FILTERS, MAX_GATES
from medkg_lab.ledger.records import job_from
from medkg_lab.ledger.select_statements import check
from medkg_lab.ledger.tables import GATE, TABLES, Row, Table, gate_from

ARCHIVE_TABLE = "event_archive"
_NAMED = "? IN (doc_id, if(source = 'file', 'file:' || doc_key, doc_id))"
"""Jobs of the document of this id, and of all files of this name, whatever the hash of their content."""


class DuckDbQuestions:
    """Questions over one connection, which sees the views at one moment; `archive` is what table event_archive shows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, archive: Archive) -> None:
        self._connection = connection
        self._archive = archive

    def jobs(self, filters: Mapping[str, str], limit: int, after: str | None) -> list[JobRow]:
        """The newest jobs that fit `filters`, from the one after job `after` on."""
        where = [_NAMED if name == "doc" else f"{FILTERS[name]} = ?" for name in filters]
        parameters: list[Any] = list(filters.values())
        if after is not None:
            where.append("age < (SELECT age FROM job WHERE job_id = ?)")
            parameters.append(after)
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        sql = f"SELECT record FROM job {condition} ORDER BY age DESC LIMIT {limit}"
        records = self._connection.execute(sql, parameters).fetchall()
        return [list_job(job_from(record, ())) for (record,) in records]

    def gates(self, state: str | None) -> list[GateRow]:
        """The gates in `state`, or all; those that wait longest first."""
        columns = ", ".join(f'"{name}"' for name in GATE.columns)
        where, parameters = ("WHERE state = ?", [state]) if state else ("", [])
        sql = f"SELECT {columns} FROM gate {where} ORDER BY waiting_since LIMIT {MAX_GATES}"
        return list(map(gate_from, self._connection.execute(sql, parameters).fetchall()))

    def select(self, sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> Selected:
        """The first `limit` rows of a SELECT. Raises QueryRefused, QueryFailed and QueryTimeout."""
        check(self._connection, sql)
        self._connection.execute(archive_view(self._archive)).fetchall()
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            self._connection.interrupt()

        timer = threading.Timer(timeout_s, stop)
        timer.start()
        try:
            # A SELECT may call functions: whatever they are, they may only read.
            self._connection.execute("BEGIN TRANSACTION READ ONLY")
            self._connection.execute(sql, list(parameters))
            columns = [column[0] for column in self._connection.description or ()]
            rows = self._connection.fetchmany(limit + 1)
        except duckdb.Error as error:
            if stopped.is_set():
                raise QueryTimeout(seconds=timeout_s) from None
            raise QueryFailed(detail=str(error)) from None
        finally:
            timer.cancel()
        return Selected(columns, [plain_row(row) for row in rows[:limit]], len(rows) > limit)


@contextmanager
def of_rows(rows: Mapping[Table, Sequence[Row]]) -> Iterator[DuckDbQuestions]:
    """Questions to tables that are made for them, of these rows; nothing was archived."""
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as connection:
        for table in TABLES:
            connection.execute(table.ddl).fetchall()
            if given := rows.get(table):
                connection.execute(table.write, list(map(list, zip(*given, strict=True)))).fetchall()
        yield DuckDbQuestions(connection, Archive(Path(os.devnull)))


def archive_view(archive: Archive) -> str:
    """The statement that lets a query read the pruned events as table event_archive."""
    nothing = "(SELECT 0::BIGINT, '', 0::DOUBLE, '', '', '', '', '' LIMIT 0)"
    source = archive.relation() or f"{nothing} AS none({COLUMNS})"
    return f"CREATE OR REPLACE TEMP VIEW {ARCHIVE_TABLE} AS SELECT {COLUMNS} FROM {source}"
