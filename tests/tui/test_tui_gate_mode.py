"""The Gate mode on a real lab: evidence, opening and rejecting, one and many, who did it."""

import pytest

from medkg_lab.topology import bundled
from tests.labs import TestLab
from tests.tui.screens import SIZES, opened

pytestmark = pytest.mark.asyncio
SCAN = "warfarin-time-in-range.pdf"


def submit_scan(lab: TestLab) -> str:
    """Put the document with a missing page on the queue once more; the job's id."""
    answer = lab.ok("submit", str(bundled.folder() / "demo" / "papers" / SCAN), "--again")
    return str(answer["jobs"][0]["job_id"])


@pytest.mark.parametrize("size", SIZES)
async def test_gate_shows_what_waits_and_what_was_decided(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.sees("Gate ◇")
        await screen.press("5")
        await screen.sees("Gates · ", "✗ 1 missing", "1 incomplete", "opened today: ", "released")


async def test_gate_evidence_names_checks_pages_stages_and_touches(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("5")
        await screen.sees(
            "Not ready: page 3 is missing", "✗ fail", "✓ pass", "✗3", "docvortex", "unset  field   pdf_ir_ready = false"
        )
        await screen.sees("open → chunk → embed", "by the last documents", "waits for pdf_ir_ready")
        await screen.press("y")
        await screen.sees('"missing_pages"')
        await screen.press("escape", "w")
        await screen.sees("page 3 has no text", "o open", "x reject")
        await screen.press("o")
        await screen.sees("Open pdf_gate for file:warfarin", "Open with 2 of 3 pages", "--partial")
        await screen.press("escape")


async def test_gate_at_80x24_opens_the_evidence(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home, (80, 24)) as screen:
        await screen.press("5")
        await screen.sees("Gates · ")
        await screen.press("enter")
        await screen.sees("Not ready: page 3 is missing", "✗ fail   pages   2 of 3 · missing 3")
        await screen.press("escape")
        await screen.sees("Gates · ")


async def test_gate_is_rejected_with_a_reason(demo_lab: TestLab) -> None:
    job_id = submit_scan(demo_lab)
    async with opened(demo_lab.home) as screen:
        await screen.press("5")
        await screen.sees("Gates · 2 waiting", "2 incomplete", seconds=90)
        await screen.press("slash")
        await screen.type(job_id)
        await screen.press("enter")
        await screen.until(lambda: screen.app.mode.subject() is not None, "the gate under the cursor")
        await screen.press("x")
        await screen.sees("Reject file:warfarin", "medkg-lab gate reject")
        await screen.press("enter")
        await screen.sees("a reason is needed")
        await screen.type("only a scan")
        await screen.press("enter")
        await screen.sees("is rejected", "only a scan")
    assert demo_lab.ok("gate", "show", job_id)["state"] == "rejected"


async def test_marked_gates_are_opened_together_and_say_by_whom(demo_lab: TestLab) -> None:
    ids = [submit_scan(demo_lab), submit_scan(demo_lab)]
    async with opened(demo_lab.home) as screen:
        await screen.press("5")
        await screen.sees("Gates · 3 waiting", "3 incomplete", seconds=120)
        keep = {gate.job_id for gate in screen.app.snapshot.gates} - set(ids)
        await screen.press("asterisk")
        await screen.sees("3 marked")
        table = screen.app.mode.query_one("#waiting")
        table.marks.keys -= keep  # type: ignore[attr-defined]
        await screen.press("o")
        await screen.sees("Open pdf_gate for 2 documents", "Open all 2, 2 incomplete")
        await screen.type("the scan is a logo")
        await screen.press("enter")
        await screen.sees("2 gates open", "Gates · 1 waiting")
    for job_id in ids:
        gate = demo_lab.ok("gate", "show", job_id)
        assert gate["how"] == "manual"
        assert gate["why"] == "the scan is a logo"
        assert gate["partial"] is True
