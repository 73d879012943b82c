"""The Jobs mode on a real lab: list, filter, sort, detail, retry, cancel, why."""

import pytest

from medkg_lab.tui.screens.jobs.panel import JobPanel
from tests.labs import TestLab
from tests.tui.screens import SIZES, Screen, opened

pytestmark = pytest.mark.asyncio


def tab(screen: Screen) -> str:
    """The side of the job that is seen."""
    return screen.app.mode.query_one(JobPanel).tab


@pytest.mark.parametrize("size", SIZES)
async def test_jobs_are_listed(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.press("2")
        await screen.sees("Jobs · 3", "DOCUMENT", "truncated", "✗ failed", "newest ↓")


async def test_jobs_narrow_and_sort(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("2")
        await screen.sees("truncated.pdf")
        await screen.press("slash")
        await screen.type("state:failed -truncated")
        await screen.press("enter")
        await screen.sees("/state:failed -truncated", "encrypted.pdf")
        await screen.misses("warfarin")
        await screen.press("escape")
        await screen.sees("warfarin")
        await screen.press("slash")
        await screen.type("nosuchdocument")
        await screen.press("enter")
        await screen.sees("match nosuchdocument")
        await screen.press("escape", "s", "s")
        await screen.sees("document ↓")
        await screen.press("S")
        await screen.sees("document ↑")


async def test_a_job_shows_its_stages_events_artifacts_error_and_lineage(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("2")
        await screen.press("colon")
        await screen.type("jobs semaglutide-obesity")
        await screen.press("enter")
        await screen.sees("of 31" if "of 31" in screen.text else "/semaglutide-obesity", "semaglutide")
        await screen.sees("█", "┄", "released", "extract")
        await screen.press("enter", "right_square_bracket")
        await screen.until(lambda: tab(screen) == "Events", "the tab")
        await screen.sees("submitted")
        await screen.press("enter")
        await screen.sees('"type": "job.submitted"')
        await screen.press("escape", "right_square_bracket")
        await screen.sees(" In and out ", "embeddings", "haystack.splitter")
        await screen.press("j", "j", "enter")
        await screen.sees("takes", "gives", "chunk_id")
        await screen.press("escape", "right_square_bracket")
        await screen.sees(" Error ", "Nothing went wrong")
        await screen.press("right_square_bracket")
        await screen.sees(" Lineage ", "kg_receipt", "pages")
        await screen.press("right_square_bracket", "left_square_bracket")
        await screen.sees(" Lineage ")


async def test_a_failed_job_says_what_went_wrong_and_can_be_retried(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("2", "colon")
        await screen.type("jobs not-a-study")
        await screen.press("enter")
        await screen.sees("bad_input at parse", "This JSON is not a ClinicalTrials.gov")
        await screen.press("enter", "left_square_bracket", "left_square_bracket")
        await screen.sees(" Error ", "fix or replace it", "policy ")
        await screen.press("w")
        await screen.sees("Why: file:not-a-study.json", "It failed at", "r retry")
        await screen.press("r")
        await screen.sees("Retry file:not-a-study.json", "from the first stage that is not done", "from parse")
        await screen.press("enter")
        await screen.sees("Retrying 1 job")
        await screen.sees("bad_input at parse")


async def test_marked_jobs_act_together(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("2", "colon")
        await screen.type("jobs failed")
        await screen.press("enter")
        await screen.sees("Jobs · 3 of")
        await screen.press("asterisk")
        await screen.sees("3 marked")
        await screen.press("r")
        await screen.sees("Retry 3 jobs")
        await screen.press("escape", "escape")
        await screen.misses("3 marked")
        await screen.press("space")
        await screen.sees("1 marked")


async def test_a_waiting_job_is_cancelled_with_a_reason(demo_lab: TestLab) -> None:
    from medkg_lab.topology import bundled

    again = demo_lab.ok("submit", str(bundled.folder() / "demo/papers/warfarin-time-in-range.pdf"), "--again")
    job_id = again["jobs"][0]["job_id"]
    async with opened(demo_lab.home) as screen:
        await screen.press("2", "colon")
        await screen.type(f"jobs job:{job_id}")
        await screen.press("enter")
        await screen.sees("◇ at gate", seconds=90)
        await screen.press("x")
        await screen.sees("Cancel file:warfarin", "medkg-lab jobs cancel")
        await screen.type("a scan")
        await screen.press("enter")
        await screen.sees("Cancelled 1 job", "⊘ cancelled", "a scan")
    assert demo_lab.ok("jobs", "show", job_id)["state"] == "cancelled"


async def test_at_80x24_enter_opens_the_detail_and_escape_closes_it(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home, (80, 24)) as screen:
        await screen.press("2")
        await screen.sees("DOCUMENT")
        await screen.press("enter")
        await screen.sees(" Timeline ")
        await screen.misses("DOCUMENT")
        await screen.press("escape")
        await screen.sees("DOCUMENT")


async def test_a_failed_job_is_replayed_at_the_step_that_failed(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("2", "colon")
        await screen.type("jobs not-a-study")
        await screen.press("enter")
        await screen.sees("bad_input at parse")
        await screen.press("X")
        await screen.sees("held before parse", "not-a-study", seconds=60)
        assert screen.app.mode.word == "replay"
        await screen.press("n")
        await screen.sees("no divergence from what was recorded in 2 steps", seconds=60)
    [archive] = (demo_lab.home / "state" / "incidents").glob("*/incident.zip")
    assert archive.stat().st_mode & 0o777 == 0o600
