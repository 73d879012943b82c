"""What a recovery takes from the topic `ledger.log.v1`: the events that the lab itself wrote there and had acknowledged."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson

from medkg_lab.ledger.archive import COLUMNS, quoted
from medkg_lab.ledger.chain import MAC, Epoch, Findings, LogRecord, Verdict, follow
from medkg_lab.ledger.store import COLUMN_TYPES
from medkg_lab.logs import fields
from medkg_lab.models.event_codec import Row, row_of
from medkg_lab.signing import Signer

log = logging.getLogger(__name__)

RELATION = f"(SELECT {COLUMNS} FROM staged.event)"
_CHUNK = 2000
_UNNEST = ", ".join(f"unnest(?::{kind}[])" for kind in COLUMN_TYPES)
_MADE = "CREATE TABLE staged.{table} AS SELECT *, 0::BIGINT AS place FROM event LIMIT 0"
_NEWEST = "QUALIFY row_number() OVER (PARTITION BY seq ORDER BY place DESC) = 1"
_MAX_SEQ = 2**62


@dataclass(frozen=True)
class EventTopic:
    """The topic: its records, oldest first, and what they are checked with.

    `newest` is the lab's present epoch. `accept_unsigned` takes in records without a signature from before the first signed one,
    which older versions wrote, as they are; `accept_more` also events beyond the last that was acknowledged.
    """

    records: Iterable[LogRecord]
    signer: Signer
    newest: Epoch | None = None
    accept_unsigned: bool = False
    accept_more: bool = False


def stage(connection: duckdb.DuckDBPyConnection, path: Path, source: EventTopic, promised: int) -> list[str]:
    """Put the events of the topic that can be used into `RELATION`, in a database at `path`; what is worth saying of the rest.

    `promised` is the number of the last event that was acknowledged.
    """
    connection.execute(f"ATTACH {quoted(path)} AS staged").fetchall()
    signed, unsigned = _Table(connection, "event"), _Table(connection, "unsigned")
    findings = Findings()
    problem: str | None = None
    try:
        for event in follow(_noting(source, unsigned), source.signer, source.newest, findings):
            if event.replaces is not None:
                signed.remove(f"seq >= {event.replaces}")
            signed.add(row_of(event.value))
    except Exception as error:  # noqa: BLE001 - boundary to the broker, which may be down: what was read until then still counts
        log.warning("the topic could not be read to its end: %s", error, extra=fields(event="topic.unread"))
        problem = f"{type(error).__name__}: {error}"
    signed.flush()
    unsigned.flush()
    before = _MAX_SEQ if findings.first is None else findings.first
    # Of several unsigned records of an event the last: it stands for a ledger that was recovered with a loss, and went on.
    older = f"INSERT INTO staged.event SELECT * FROM staged.unsigned WHERE seq < {before} {_NEWEST}"
    connection.execute(older).fetchall()
    beyond = 0 if source.accept_more else signed.remove(f"seq > {promised}")
    remarks = [problem, *_remarks(findings, unsigned.count if source.accept_unsigned else None)]
    return [each for each in (*remarks, _beyond(beyond, promised)) if each]


class _Table:
    """A table of staged events, filled in portions; `place` is the order in which they came."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self._connection = connection
        self._name = f"staged.{name}"
        self._rows: list[tuple[Any, ...]] = []
        self.count = 0
        connection.execute(_MADE.format(table=name)).fetchall()

    def add(self, row: Row) -> None:
        """Add an event."""
        self._rows.append((*row, self.count))
        self.count += 1
        if len(self._rows) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        if self._rows:
            columns = list(map(list, zip(*self._rows, strict=True)))
            self._connection.execute(
                f"INSERT INTO {self._name} SELECT {_UNNEST}, unnest(?::BIGINT[])", columns
            ).fetchall()
            self._rows.clear()

    def remove(self, condition: str) -> int:
        """Remove the events that fulfil an SQL condition; how many there were."""
        self.flush()
        return len(self._connection.execute(f"DELETE FROM {self._name} WHERE {condition} RETURNING seq").fetchall())


def _noting(source: EventTopic, unsigned: _Table) -> Iterator[LogRecord]:
    """The records; those without a signature are noted on the way if they are wanted."""
    for record in source.records:
        if source.accept_unsigned and MAC not in record.headers and (row := _unsigned(record)) is not None:
            unsigned.add(row)
        yield record


def _unsigned(record: LogRecord) -> Row | None:
    """The event of a record that nothing is known of, if it is one."""
    try:
        row = row_of(record.value)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    kinds = (int, str, float | int, str, str | None, str | None, str, str)
    fits = all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))
    return row if fits and 0 < row[0] < _MAX_SEQ else None


def _remarks(findings: Findings, unsigned_used: int | None) -> Iterator[str]:
    counts, gap = findings.counts, findings.gap
    if gap is not None:
        yield f"after event {gap[0]} a record is missing (the next is event {gap[1]}): nothing behind it was used"
    if foreign := counts[Verdict.FOREIGN]:
        yield f"{foreign} records with a signature that is not this lab's were ignored"
    if stale := counts[Verdict.STALE]:
        yield f"{stale} records of a history that was given up at an earlier recovery were ignored"
    if unsigned_used is not None:
        yield f"{unsigned_used} records without a signature were read: nothing shows that the lab wrote them"
    elif unsigned := counts[Verdict.UNSIGNED]:
        yield (
            f"{unsigned} records without a signature were ignored: an older version of the lab wrote them, or somebody else; "
            "--accept-unsigned uses them, unchecked"
        )


def _beyond(count: int, promised: int) -> str:
    if not count:
        return ""
    known = (
        f"event {promised}, the last that was acknowledged," if promised else "what was acknowledged, which is unknown,"
    )
    return f"{count} events beyond {known} were not used; --accept-more uses them"
