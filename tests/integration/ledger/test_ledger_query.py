"""SQL from outside: one SELECT on the tables, and nothing else."""

import threading
from pathlib import Path

import pytest

from medkg_lab.ledger import errors
from medkg_lab.ledger.answers import Selected
from medkg_lab.ledger.client import LedgerClient
from tests.integration.ledger.harness import LedgerProcess, submit

SLOW = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE hash(a.range, b.range) % 1000003 = 1"


def test_rows_columns_and_limits(client: LedgerClient) -> None:
    submit(client, "a", "b", "c")
    answer = client.query("SELECT job_id, priority FROM job WHERE job_id > ? ORDER BY 1", ["a"])
    assert answer == Selected(["job_id", "priority"], [["b", 0], ["c", 0]], truncated=False)
    answer = client.query("WITH x AS (FROM job) SELECT job_id FROM x ORDER BY 1", limit=2)
    assert (answer.rows, answer.truncated) == ([["a"], ["b"]], True)


def test_values_of_every_type_can_be_sent(client: LedgerClient) -> None:
    sql = "SELECT [1, NULL], {'a': 1}, MAP {'k': 2}, DATE '2020-01-02', 1.5::DECIMAL(4, 1), '\\xAA'::BLOB, 2::HUGEINT, uuid()"
    (row,) = client.query(sql).rows
    assert row[:7] == [[1, None], {"a": 1}, {"k": 2}, "2020-01-02", "1.5", "aa", 2]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE job",
        "DELETE FROM job",
        "INSERT INTO job(job_id) VALUES ('x')",
        "CREATE TABLE x AS SELECT 1",
        "COPY (SELECT 1) TO 'stolen.csv'",
        "COPY job FROM '/etc/passwd'",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL checkpoint()",
        "CHECKPOINT",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE job",
        "-- nothing",
    ],
)
def test_anything_but_one_select_is_refused(shared_ledger: LedgerClient, sql: str) -> None:
    with pytest.raises(errors.QueryRefused):
        shared_ledger.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('https://example.org/x')",
        "SELECT * FROM sqlite_scan('a', 'b')",
        "SELECT getenv('HOME')",
        "FROM force_checkpoint()",
        "FROM enable_logging('QueryLog', storage_path = 'logs')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM nowhere",
        "SELECT",
        "this is not SQL",
        "SELECT ?",
    ],
)
def test_nothing_outside_the_tables_is_reached(shared_ledger: LedgerClient, sql: str) -> None:
    with pytest.raises(errors.QueryFailed):
        shared_ledger.query(sql)


def test_a_slow_query_is_stopped_and_holds_nobody_up(ledger: LedgerProcess, client: LedgerClient) -> None:
    stopped: list[Exception] = []

    def ask() -> None:
        try:
            with ledger.client() as other:
                other.query(SLOW, timeout_s=3.0)
        except errors.QueryTimeout as error:
            stopped.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for n in range(20):
        submit(client, f"j{n}")
    client.flush()
    assert len(client.jobs()) == 20
    assert asking.is_alive(), "the commits and the projection waited for the query"
    asking.join(60)
    assert len(stopped) == 1
    assert client.query("SELECT count(*) FROM job").rows == [[20]]


def test_a_query_that_eats_memory_leaves_the_ledger_alive(client: LedgerClient) -> None:
    with pytest.raises((errors.QueryTooLarge, errors.QueryFailed, errors.QueryTimeout)):
        client.query("SELECT list(a.range || repeat('x', 1000)) FROM range(100000000) a", timeout_s=30.0)
    submit(client, "a")
    client.flush()
    assert client.query("SELECT count(*) FROM job").rows == [[1]]


def test_a_query_leaves_no_file_behind(ledger: LedgerProcess, client: LedgerClient, tmp_path: Path) -> None:
    before = sorted(path.name for path in ledger.folder.iterdir())
    client.query("SELECT count(*) FROM range(100000)")
    assert sorted(path.name for path in ledger.folder.iterdir() if not path.name.endswith(".wal")) == [
        name for name in before if not name.endswith(".wal")
    ]
