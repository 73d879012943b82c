"""What the lab asks of the ledger's tables: when a job's last execution began, and who is through a stage or gate."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medkg_lab.lab.flow import stage_flows
from medkg_lab.lab.job_queries import began_at, jobs
from medkg_lab.lab.stages import stages_done
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import StageFailed
from tests.integration.ledger.harness import LedgerProcess, claim, register, submit, to_gate
from tests.unit.ledger.worlds import BEHIND, failed

LATER_S = 800.0


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        yield made


def detail(client: LedgerClient, job_id: str) -> JobDetail:
    found = client.get(job_id)
    assert found is not None
    return found


def test_a_retry_is_timed_from_its_own_beginning(process: LedgerProcess) -> None:
    client = process.client()
    register(client)
    submit(client, "once", "twice")
    first = claim(client)
    for job in ("once", "twice"):
        client.record(first.batch_id, failed("ingest", job))
    client.retry("twice", by="test")
    again = claim(client)
    created = detail(client, "twice").created_at
    stage, ended = failed("ingest", "twice")
    assert isinstance(stage, StageFailed)
    client.record(again.batch_id, [replace(stage, t0=created + LATER_S, t1=created + LATER_S + 1), ended])
    client.flush()
    rows = {row.job_id: row for row in jobs(client, "", "newest", False, 0, 10).rows}
    assert rows["twice"].began_at == began_at(detail(client, "twice")) == created + LATER_S
    assert rows["once"].began_at == began_at(detail(client, "once")) == rows["once"].created_at


def test_who_passed_a_gate_is_through_it(process: LedgerProcess) -> None:
    client = process.client()
    register(client)
    to_gate(client, "passed", "refused", "waits")
    assert client.set_field("passed", "pdf_ir_ready", True, "pdf", BEHIND).opened
    client.gate_reject("refused", "me", "it is a draft")
    client.flush()
    flow = stage_flows(client, 0.0)["gated"]
    assert (flow["gate"].through, flow["gate"].recent, flow["gate"].p95_ms) == (1, 1, None)
    assert flow["ingest"].through == 3
    done = stages_done(client, "gated")
    assert (done["gate"].through, done["gate"].failed) == (1, 1)
    assert (done["ingest"].through, done["ingest"].failed) == (3, 0)
