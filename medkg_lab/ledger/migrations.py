"""The schema of the event file, as numbered steps that are never changed once released."""

import hashlib
import time

import duckdb

from medkg_lab.ledger.errors import LedgerFromElsewhere

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE event(
        seq BIGINT NOT NULL, id VARCHAR NOT NULL, ts DOUBLE NOT NULL, type VARCHAR NOT NULL,
        stage VARCHAR, batch VARCHAR, jobs VARCHAR NOT NULL, data VARCHAR NOT NULL
    )
    """,
)


def migrate(connection: duckdb.DuckDBPyConnection, path: str, steps: tuple[str, ...] = MIGRATIONS) -> int:
    """Bring the file to the newest schema, each step in a transaction of its own, and return its version.

    Raises LedgerFromElsewhere when the file has a step that this program does not know, or knows otherwise.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration(version INTEGER NOT NULL, sha256 VARCHAR NOT NULL, ts DOUBLE NOT NULL)"
    ).fetchall()
    applied = connection.execute("SELECT version, sha256 FROM schema_migration ORDER BY version").fetchall()
    for version, recorded in applied:
        if version > len(steps):
            raise LedgerFromElsewhere(path=path, detail=f"schema {version}, this version knows {len(steps)}")
        if recorded != _sha256(steps[version - 1]):
            raise LedgerFromElsewhere(path=path, detail=f"schema step {version} differs")
    for version, sql in enumerate(steps[len(applied) :], start=len(applied) + 1):
        connection.execute("BEGIN")
        connection.execute(sql).fetchall()
        row = [version, _sha256(sql), time.time()]
        connection.execute("INSERT INTO schema_migration VALUES (?, ?, ?)", row).fetchall()
        connection.execute("COMMIT")
    return len(steps)


def _sha256(sql: str) -> str:
    return hashlib.sha256(" ".join(sql.split()).encode()).hexdigest()
