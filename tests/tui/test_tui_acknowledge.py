"""Failures that were seen: they leave Needs you, and the record keeps who has seen them."""

import pytest

from medkg_lab.lab import job_queries
from medkg_lab.lab.facade import Lab
from medkg_lab.tui import alerts
from medkg_lab.tui.messages import Snapshot
from tests import answers
from tests.labs import TestLab
from tests.tui.screens import opened

LAB = answers.lab(answers.process("ledgerd"))


def needs(**fields: object) -> str:
    """What needs the person, as one text."""
    return "\n".join(one.sentence for one in alerts.attention(Snapshot(at=1.0, lab=LAB, **fields)))  # type: ignore[arg-type]


def test_what_was_seen_needs_nobody() -> None:
    counts = answers.counts(jobs={"failed": 3, "dead": 1})
    assert "3 jobs failed" in needs(counts=counts)
    assert "1 job failed" in needs(counts=counts, acknowledged={"failed": 2})
    assert "1 job repeatedly crashed" in needs(counts=counts, acknowledged={"failed": 3})
    assert needs(counts=counts, acknowledged={"failed": 3, "dead": 1}) == ""


@pytest.mark.asyncio
async def test_a_failed_job_is_put_aside_with_a_name(demo_lab: TestLab) -> None:
    lab = Lab.at(demo_lab.home)
    before = job_queries.acknowledged(lab.ledger).get("failed", 0)
    async with opened(demo_lab.home) as screen:
        await screen.press("2", "slash")
        await screen.type("seen:no state:failed doc:file:truncated")
        await screen.press("enter")
        await screen.sees("Jobs · 1 of ", "file:truncated")
        await screen.press("u")
        await screen.until(
            lambda: any("1 failure acknowledged" in text for _, text in screen.app.session.told), "a toast"
        )
        await screen.until(lambda: screen.app.snapshot.acknowledged.get("failed") == before + 1, "the count")
    job = next(one for one in demo_lab.ok("jobs", "list", "--state", "failed") if "truncated" in one["doc_id"])
    assert '"field": "acknowledged"' in demo_lab.run("events", "--job", job["job_id"], "--json").out
    assert demo_lab.ok("jobs", "acknowledge", job["job_id"]) == {"ok": True, "job_id": job["job_id"]}


def test_all_are_put_aside_at_once_and_what_has_not_failed_is_not(demo_lab: TestLab) -> None:
    done = demo_lab.ok("jobs", "list", "--state", "completed")[0]
    refused = demo_lab.run("jobs", "acknowledge", done["job_id"])
    assert refused.code != 0
    assert "cannot be acknowledged as a failure" in refused.err
    assert demo_lab.run("jobs", "acknowledge").code == 2
    assert demo_lab.ok("jobs", "acknowledge", "--state", "dead")["acknowledged"] == 0


@pytest.mark.asyncio
async def test_refused_records_are_shown_with_their_reason_and_put_aside(demo_lab: TestLab) -> None:
    before = len(demo_lab.ok("jobs", "refused")["refused"])
    async with opened(demo_lab.home) as screen:
        demo_lab.ok("broker", "produce", "ingest.requests.v1", "this is no request")
        await screen.sees("of the work queue refused", seconds=60)
        await screen.press("u")
        await screen.sees("Acknowledge", "ingest.requests.v1/")
        await screen.press("u")
        await screen.misses("of the work queue refused", seconds=60)
    found = demo_lab.ok("jobs", "refused")
    assert len(found["refused"]) == found["acknowledged"] == before + 1
