"""What the broker keeps beside the logs: topics, committed offsets, log starts, the producer-id counter, the cluster id.

One SQLite file in WAL mode with synchronous=FULL, so that a committed transaction is on the disk. Its calls block on that,
so the broker makes them through `Meta.run`, which gives them to one worker thread.
"""

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import orjson

from medkg_lab.broker.embedded.errors import MetaDamaged

P = ParamSpec("P")
T = TypeVar("T")

_SCHEMA = """
create table if not exists topic (name text primary key, partitions integer not null, config text not null,
    deleting integer not null default 0) strict;
create table if not exists log_start (topic text, partition integer, start integer not null,
    primary key (topic, partition)) strict;
create table if not exists committed (group_id text, topic text, partition integer, position integer not null,
    metadata text not null, primary key (group_id, topic, partition)) strict;
create table if not exists setting (name text primary key, value text not null) strict;
"""


@dataclass(frozen=True)
class TopicRow:
    """One topic as it was created; `deleting` says that its removal was begun and has to be finished."""

    name: str
    partitions: int
    config: dict[str, str]
    deleting: bool


@dataclass(frozen=True)
class Committed:
    """The position that a group committed for one partition."""

    group: str
    topic: str
    partition: int
    position: int
    metadata: str


class Meta:
    """The file at `path`. Raises MetaDamaged when it is there and cannot be read."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="meta")
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            verdict = self._db.execute("pragma quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise MetaDamaged(path=path, detail=verdict)
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise MetaDamaged(path=path, detail=str(error)) from error
        self.cluster_id = self._setting("cluster_id", lambda: uuid.uuid4().hex)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work`, a method of this class, in the worker thread, one after the other. Raises sqlite3.Error."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def _setting(self, name: str, make: Callable[[], str]) -> str:
        self._db.execute("insert or ignore into setting values (?, ?)", (name, make()))
        return str(self._db.execute("select value from setting where name = ?", (name,)).fetchone()[0])

    def setting(self, name: str) -> str | None:
        """A value that was kept under `name`, None when there is none."""
        row = self._db.execute("select value from setting where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put_setting(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        self._db.execute("insert or replace into setting values (?, ?)", (name, value))

    def topics(self) -> list[TopicRow]:
        """Every topic."""
        rows = self._db.execute("select name, partitions, config, deleting from topic order by name").fetchall()
        return [
            TopicRow(name, partitions, orjson.loads(config), bool(deleting))
            for name, partitions, config, deleting in rows
        ]

    def put_topic(self, name: str, partitions: int, config: dict[str, str]) -> None:
        """Keep a new topic, or the new number of partitions of one."""
        row = (name, partitions, orjson.dumps(config).decode())
        self._db.execute("insert or replace into topic (name, partitions, config) values (?, ?, ?)", row)

    def begin_delete(self, name: str) -> None:
        """Mark the topic as going, so that a crash cannot leave it half there."""
        self._db.execute("update topic set deleting = 1 where name = ?", (name,))

    def finish_delete(self, name: str) -> None:
        """Forget the topic, its log starts and every group's offsets in it."""
        self._many([(f"delete from {table} where {column} = ?", (name,)) for table, column in _OF_TOPIC])

    def log_starts(self, topic: str) -> dict[int, int]:
        """Where DeleteRecords moved the beginning of the topic's partitions, by partition."""
        return dict(self._db.execute("select partition, start from log_start where topic = ?", (topic,)).fetchall())

    def put_log_start(self, topic: str, partition: int, start: int) -> None:
        """Keep where a partition now begins."""
        self._db.execute("insert or replace into log_start values (?, ?, ?)", (topic, partition, start))

    def committed(self) -> list[Committed]:
        """Every committed offset."""
        rows = self._db.execute("select group_id, topic, partition, position, metadata from committed").fetchall()
        return [Committed(*row) for row in rows]

    def commit(self, offsets: Iterable[Committed]) -> None:
        """Keep all of `offsets` or none."""
        statement = "insert or replace into committed values (?, ?, ?, ?, ?)"
        self._many([(statement, (row.group, row.topic, row.partition, row.position, row.metadata)) for row in offsets])

    def delete_group(self, group: str) -> None:
        """Forget the group's offsets."""
        self._db.execute("delete from committed where group_id = ?", (group,))

    def delete_offsets(self, group: str, places: Iterable[tuple[str, int]]) -> None:
        """Forget the group's offsets for `places` (topic, partition), all or none."""
        statement = "delete from committed where group_id = ? and topic = ? and partition = ?"
        self._many([(statement, (group, topic, partition)) for topic, partition in places])

    def next_producer_number(self) -> int:
        """A number, from which the id of a producer follows, that was never given out before."""
        statement = """insert into setting values ('producer_id', '1')
            on conflict (name) do update set value = cast(cast(value as integer) + 1 as text) returning value"""
        return int(self._db.execute(statement).fetchall()[0][0])

    def _many(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        self._db.execute("begin immediate")
        try:
            for statement, values in statements:
                self._db.execute(statement, values)
            self._db.execute("commit")
        except sqlite3.Error:
            self._db.execute("rollback")
            raise

    def close(self) -> None:
        """Finish what was begun and close the file."""
        self._thread.shutdown(wait=True)
        self._db.close()


_OF_TOPIC = (("committed", "topic"), ("log_start", "topic"), ("topic", "name"))
