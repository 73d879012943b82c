"""When a job's last execution began, for what it took."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medkg_lab.lab.job_queries import began_at, jobs
from tests.integration.ledger.harness import LedgerProcess, claim, register, submit
from tests.unit.ledger.worlds import failed

LATER_S = 800.0


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        yield made


def test_a_retry_is_timed_from_its_own_beginning(process: LedgerProcess) -> None:
    client = process.client()
    register(client)
    submit(client, "once", "twice")
    first = claim(client)
    for job in ("once", "twice"):
        client.record(first["batch_id"], failed("ingest", job))
    client.retry("twice", by="test")
    again = claim(client)
    created = client.get("twice")["created_at"]
    stage, job = (replace(each) for each in failed("ingest", "twice"))
    client.record(again["batch_id"], [replace(stage, t0=created + LATER_S, t1=created + LATER_S + 1), job])
    client.flush()
    rows = {row["job_id"]: row for row in jobs(client, "", "newest", False, 0, 10).rows}
    assert rows["twice"]["began_at"] == began_at(client.get("twice")) == created + LATER_S
    assert rows["once"]["began_at"] == began_at(client.get("once")) == rows["once"]["created_at"]
