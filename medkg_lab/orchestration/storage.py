"""Dagster's SQLite storages with pooled connections, for the one process that opens them.

Schema and queries are Dagster's own. Its classes open an engine and a connection for each event, which is most of what they
cost, and its consolidated event log watches a file that SQLite's write-ahead log leaves untouched between checkpoints.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import DagsterRun
from sqlalchemy.engine import Connection, Engine

from medkg_lab.orchestration.compat import (
    ConfigurableClassData,
    ConsolidatedSqliteEventLogStorage,
    DagsterEvent,
    SqliteRunStorage,
    SqlPollingEventWatcher,
)

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-16000")
"""NORMAL: a power cut may cost the last rows, which the recorder writes again from the ledger."""
BUSY_TIMEOUT_S = 30.0

RUNS_LOCK = threading.RLock()
"""Held for each change of a run: Dagster reads a run, changes it and writes it whole, and the recorder must not come between."""


def pooled_engine(url: str) -> Engine:
    """An engine with a few connections that stay open, each set up once."""
    engine = sqlalchemy.create_engine(
        url,
        poolclass=sqlalchemy.pool.QueuePool,
        pool_size=4,
        max_overflow=12,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @sqlalchemy.event.listens_for(engine, "connect")
    def set_up(connection: Any, _: Any) -> None:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


class LabRunStorage(SqliteRunStorage):
    """Dagster's run storage on one pooled engine."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = pooled_engine(conn_string)
        super().__init__(conn_string, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "LabRunStorage":
        """Open the storage that dagster.yaml describes."""
        return cls.from_local(inst_data=inst_data, **config_value)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a transaction that commits at the end."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Keep a new run."""
        with RUNS_LOCK:
            return super().add_run(dagster_run)

    def handle_run_event(self, run_id: str, event: DagsterEvent, update_timestamp: datetime | None = None) -> None:
        """Change the run's status as the event says."""
        with RUNS_LOCK:
            super().handle_run_event(run_id, event, update_timestamp)

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Add or change tags."""
        with RUNS_LOCK:
            super().add_run_tags(run_id, new_tags)

    def delete_run(self, run_id: str) -> None:
        """Remove the run and its tags."""
        with RUNS_LOCK:
            super().delete_run(run_id)

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class LabEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """Dagster's event log in one file, on one pooled engine, watched by polling."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine: Engine | None = None
        self._watcher: SqlPollingEventWatcher | None = None
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        if self._engine is None:
            self._engine = pooled_engine(self._conn_string)
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the file has this table."""
        with self._connect() as connection:
            return bool(connection.dialect.has_table(connection, table_name))

    def watch(self, run_id: str, cursor: str | None, callback: Callable[..., Any]) -> None:
        """Call back with each event of the run after `cursor`."""
        if self._watcher is None:
            self._watcher = SqlPollingEventWatcher(self)
        self._watcher.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Callable[..., Any]) -> None:
        """Stop calling back."""
        if self._watcher is not None:
            self._watcher.unwatch_run(run_id, handler)

    def dispose(self) -> None:
        """Stop watching and close the connections."""
        if self._watcher is not None:
            self._watcher.close()
        if self._engine is not None:
            self._engine.dispose()


def runs_file(folder: Path) -> Path:
    """The file of the runs in Dagster's folder."""
    return folder / "runs" / "runs.db"


def events_file(folder: Path) -> Path:
    """The file of the event log in Dagster's folder."""
    return folder / "events" / "event_log.db"
