"""The Jobs mode over 100,000 jobs: only a window is held, wherever the cursor goes."""

from pathlib import Path

import pytest

from medkg_lab.lab import job_queries
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.screens.jobs.screen import PAGE
from medkg_lab.tui.widgets.table import Table
from tests.integration.ledger.harness import LedgerProcess, submit
from tests.tui.ledger_labs import LedgerLab, prepared
from tests.tui.screens import Screen

pytestmark = [pytest.mark.asyncio, pytest.mark.full, pytest.mark.timeout(600)]
JOBS = 100_000
GROUP = 5_000


async def test_a_hundred_thousand_jobs_are_scrolled_through_a_window(short_tmp: Path) -> None:
    with LedgerProcess(short_tmp / "home") as process:
        process.start()
        with prepared(process) as client:
            for first in range(0, JOBS, GROUP):
                submit(client, *(f"job-{number:06d}" for number in range(first, first + GROUP)))
            client.flush()
            app = LabApp(LedgerLab(process.locations, deadline=10.0), start=False)
            async with app.run_test(size=(120, 40), notifications=True) as pilot:
                screen = Screen(app, pilot)
                await screen.press("2")
                await screen.sees("Jobs · 100,000", f"job-{JOBS - 1:06d}"[:8], seconds=60)
                table = app.mode.query_one("#jobs", Table)
                await screen.press("G")
                await screen.until(lambda: table.cursor == JOBS - 1 and table.row is not None, "the last job", 30)
                assert len(table.rows) <= PAGE
                for _ in range(30):
                    await screen.press("pageup")
                await screen.until(lambda: table.row is not None, "the rows around the cursor")
                assert table.cursor < JOBS - 300
                await screen.press("g", "slash")
                await screen.type("job:job-05000")
                await screen.press("enter")
                await screen.sees("Jobs · 10 of")
            window = job_queries.jobs(client, "state:queued", "newest", True, 99_990, 200)
            assert window.total == JOBS
            assert len(window.rows) == 10
