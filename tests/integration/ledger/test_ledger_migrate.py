"""An older ledger's file is taken in: from JSON lines, SQLite and DuckDB, row by row, once."""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.migrate import migrate
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import LegacyUnreadable
from medkg_lab.ledger.legacy_files import entries
from tests.integration.ledger.harness import LedgerProcess

ROWS: list[dict[str, Any]] = [
    {"job_id": "one", "tenant_id": "t", "dataset": "clinicaltrials", "doc_key": "NCT1", "status": "completed"},
    {
        "job_id": "two",
        "tenant_id": "t",
        "dataset": "pmc-fulltext",
        "doc_key": "PMC2",
        "status": "failed",
        "error": "no",
    },
    {"job_id": "three", "tenant_id": "t", "dataset": "unpaywall", "doc_key": "10.1/x", "status": "cancelled"},
]


@pytest.fixture
def lab(ledger: LedgerProcess, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The lab around a ledger; only its supervisor is missing."""
    made = Lab(ledger.locations)
    monkeypatch.setattr(made, "require_running", lambda: None)
    return made


def outcomes(report: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(row["job_id"], row["outcome"]) for row in report["rows"]]


def test_json_lines_are_taken_in_once_and_nothing_fails_silently(
    lab: Lab, client: LedgerClient, tmp_path: Path
) -> None:
    path = tmp_path / "old.jsonl"
    odd = ["{not json", "[1]", json.dumps({"job_id": "four", "status": "completed"})]
    unknown = json.dumps({**ROWS[0], "job_id": "five", "pipeline_name": "gone"})
    path.write_text("\n".join([*map(json.dumps, ROWS), *odd, unknown, json.dumps(ROWS[0])]) + "\n")
    report = asdict(migrate(lab, path))
    assert (report["migrated"], report["skipped"], report["failed"]) == (3, 1, 4)
    assert sorted((row["row"], row["outcome"]) for row in report["rows"]) == [
        (1, "migrated"), (2, "migrated"), (3, "migrated"), (4, "failed"), (5, "failed"), (6, "failed"), (7, "failed"),
        (8, "skipped"),
    ]  # fmt: skip
    assert all(row["reason"] for row in report["rows"] if row["outcome"] == "failed")
    jobs = {job.job_id: job for job in client.jobs(tenant="t")}
    assert {name: (job.state, job.pipeline) for name, job in jobs.items()} == {
        "one": ("completed", "auto"), "two": ("failed", "pdf-two-phase"), "three": ("cancelled", "pdf-two-phase")
    }  # fmt: skip
    assert (jobs["two"].doc_id, jobs["two"].reason) == ("pmc:PMC2", "no")
    again = asdict(migrate(lab, path))
    assert (again["migrated"], again["skipped"], again["failed"]) == (0, 4, 4)


def test_databases_are_taken_in(lab: Lab, tmp_path: Path) -> None:
    columns = "job_id VARCHAR, tenant_id VARCHAR, dataset VARCHAR, doc_key VARCHAR, status VARCHAR, error VARCHAR"
    values = [
        tuple(row.get(name) for name in ("job_id", "tenant_id", "dataset", "doc_key", "status", "error"))
        for row in ROWS
    ]
    old = sqlite3.connect(tmp_path / "old.sqlite")
    old.execute(f"CREATE TABLE jobs({columns})")
    old.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", values)
    old.commit()
    old.close()
    with duckdb.connect(str(tmp_path / "old.duckdb")) as connection:
        connection.execute(f"CREATE TABLE ledger({columns}, metadata JSON, retry_count_per_stage JSON)")
        connection.execute("CREATE TABLE other(x INTEGER)")
        for row in values:
            connection.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, '{}', '{\"parse\": 1}')", list(row))
    assert migrate(lab, tmp_path / "old.sqlite").migrated == 3
    report = asdict(migrate(lab, tmp_path / "old.duckdb", "ledger"))
    assert outcomes(report) == [("one", "skipped"), ("two", "skipped"), ("three", "skipped")]


def test_files_that_are_no_ledger_are_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "two.duckdb")) as connection:
        connection.execute("CREATE TABLE a(job_id INTEGER)")
        connection.execute("CREATE TABLE b(job_id INTEGER)")
    (tmp_path / "broken").write_bytes(b"SQLite format 3\x00" + b"x" * 100)
    for name, words in (
        ("two.duckdb", "name one of its tables"),
        ("broken", "cannot be read"),
        ("absent", "No such file"),
    ):
        with pytest.raises(LegacyUnreadable, match=words):
            list(entries(tmp_path / name))
    assert list(entries(tmp_path / "two.duckdb", "b")) == []
