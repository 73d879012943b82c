"""SQL from outside can take nothing from the ledger: no memory, no time, no file; and every value has a form to come back in."""

import threading
from pathlib import Path

import pytest

from medkg_lab import linux
from medkg_lab.errors import LabError
from medkg_lab.ledger import errors
from medkg_lab.ledger.client import LedgerClient
from tests.integration.ledger.harness import LedgerProcess, submit
from tests.waiting import wait_until

TOO_LARGE = (
    "SELECT range(1000000000)",
    "SELECT repeat('x', 300000000)",
    "SELECT repeat('x', 2000000)",
    "SELECT list(range) FROM range(200000000)",
    "SELECT repeat('x', 1000000) FROM range(100)",
    "SELECT string_agg(range::VARCHAR, ',') FROM range(100000000)",
)
TOO_SLOW = (
    "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range, b.range) % 1000003 = 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
)


def memory(pid: int) -> int:
    """The most memory that a process ever had, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def test_no_query_takes_the_ledger_s_memory_or_time(ledger: LedgerProcess, client: LedgerClient) -> None:
    submit(client, "a")
    assert client.query("SELECT count(*) FROM job").rows == [[1]]
    assert ledger.process is not None
    before = memory(ledger.process.pid)
    for sql in TOO_LARGE:
        with pytest.raises((errors.QueryTooLarge, errors.QueryFailed)):
            client.query(sql, timeout_s=60.0)
    for sql in TOO_SLOW:
        with pytest.raises((errors.QueryTimeout, errors.QueryTooLarge)):
            client.query(sql, timeout_s=1.0)
    assert memory(ledger.process.pid) - before < 64 * 1024, "what queries take is not the ledger's"
    assert ledger.process.poll() is None
    assert client.query("SELECT job_id FROM job").rows == [["a"]]


def test_a_cell_and_an_answer_say_what_is_too_much(client: LedgerClient) -> None:
    with pytest.raises(errors.QueryTooLarge, match="a cell of column big has more than 1 MiB"):
        client.query("SELECT 1 AS small, repeat('x', 1048577) AS big")
    with pytest.raises(errors.QueryTooLarge, match="its answer has more than 32 MiB"):
        client.query("SELECT repeat('x', 1000000) FROM range(40)")
    assert len(client.query("SELECT repeat('x', 1048000)").rows[0][0]) == 1_048_000


@pytest.mark.parametrize(
    ("sql", "cell"),
    [
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
        ("18446744073709551615::UBIGINT", 18446744073709551615),
        ("18446744073709551616::HUGEINT", "18446744073709551616"),
        ("(-9223372036854775808)::BIGINT", -9223372036854775808),
        ("[170141183460469231731687303715884105727::HUGEINT]", ["170141183460469231731687303715884105727"]),
        ("'nan'::DOUBLE", "nan"),
        ("'-inf'::FLOAT", "-inf"),
        ("{'a': [1, NULL], 'b': MAP {'k': 2.50}}", {"a": [1, None], "b": {"k": "2.50"}}),
        ("'\\xAA'::BLOB", "aa"),
        ("INTERVAL 3 DAYS", "3 days, 0:00:00"),
        ("TIMESTAMPTZ '2020-01-01 00:00:00+00' AT TIME ZONE 'UTC'", "2020-01-01 00:00:00"),
        ("'101'::BIT", "101"),
        ("'00000000-0000-0000-0000-000000000001'::UUID", "00000000-0000-0000-0000-000000000001"),
        ("'a'::ENUM('a', 'b')", "a"),
        ("union_value(n := 7)", 7),
        ("'a' || chr(0)", "a\0"),
        ("'290000-01-01'::DATE", "290000-01-01"),
    ],
)
def test_every_value_has_a_form(shared_ledger: LedgerClient, sql: str, cell: object) -> None:
    assert shared_ledger.query(f"SELECT {sql}").rows == [[cell]]


def test_all_types_are_answered(shared_ledger: LedgerClient) -> None:
    answer = shared_ledger.query("SELECT * FROM test_all_types()")
    assert len(answer.rows) == 3
    assert {len(row) for row in answer.rows} == {len(answer.columns)}
    assert shared_ledger.query("SELECT now()").rows[0][0].startswith("20")


@pytest.mark.parametrize("opened", ["(", "[", "{'a': ", "NOT ", "-"])
def test_nesting_ends_nobody(shared_ledger: LedgerClient, opened: str) -> None:
    closed = {"(": ")", "[": "]", "{'a': ": "}"}.get(opened, "")
    for depth in (300, 10_000):
        try:
            shared_ledger.query("SELECT " + opened * depth + "1" + closed * depth, timeout_s=20.0)
        except LabError as error:
            assert isinstance(error, errors.LedgerError), repr(error)
    assert shared_ledger.query("SELECT 1").rows == [[1]]


def test_a_query_sees_all_that_was_acknowledged_before(client: LedgerClient) -> None:
    for number in range(30):
        submit(client, f"j{number}")
        assert client.query("SELECT count(*) FROM job").rows == [[number + 1]]


def test_queries_at_once_see_the_same_tables(ledger: LedgerProcess, client: LedgerClient) -> None:
    submit(client, *(f"j{number}" for number in range(50)))
    found: list[object] = []

    def ask() -> None:
        with ledger.client() as other:
            found.extend(other.query("SELECT count(*) FROM job").rows for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [[[50]]] * 20


def test_a_killed_ledger_takes_its_queries_with_it_and_leaves_no_copies(ledger: LedgerProcess) -> None:
    def ask() -> None:
        with ledger.client() as other, pytest.raises(LabError):
            other.query(TOO_SLOW[0], timeout_s=60.0)

    assert ledger.process is not None
    asking = threading.Thread(target=ask)
    asking.start()
    (child,) = wait_until(lambda: children(ledger.process.pid), 30, "a process for the query")  # type: ignore[union-attr]
    ledger.kill()
    wait_until(lambda: linux.start_time(child) is None, 10, "the query's process to end")
    asking.join(60)
    ledger.start()
    assert not ledger.folder.with_name("ledger-queries").exists()
    with ledger.client() as again:
        assert again.query("SELECT count(*) FROM job").rows == [[0]]


def test_a_stop_ends_queries_and_the_next_ledger_answers_them(ledger: LedgerProcess, client: LedgerClient) -> None:
    assert client.query("SELECT 1").rows == [[1]]
    assert ledger.process is not None
    (child,) = children(ledger.process.pid)
    assert ledger.stop() == 0
    wait_until(lambda: linux.start_time(child) is None, 10, "the query's process to end")
    ledger.start()
    assert client.query("SELECT 1").rows == [[1]]
