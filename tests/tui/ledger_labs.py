"""A lab that is a ledger alone: for what only follows the log, with a ledger process that a test feeds and kills."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import EventData, StageCompleted, StageFailed, StageStarted
from medkg_lab.tui.app import LabApp
from tests.integration.ledger.harness import LedgerProcess, claim, register, submit
from tests.tui.screens import Screen
from tests.unit.ledger.worlds import completed, done, started


class LedgerLab(Lab):
    """The lab of a ledger process; no other process runs."""

    def require_running(self) -> None:
        """The ledger is asked; it answers or it does not."""


@asynccontextmanager
async def events_screen(process: LedgerProcess, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Screen]:
    """The screen, on its Events."""
    app = LabApp(LedgerLab(process.locations, deadline=5.0), start=False)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        await pilot.press("3")
        yield Screen(app, pilot)


def run_jobs(client: LedgerClient, names: Sequence[str]) -> int:
    """Submit jobs and take them through all stages; how many rows the stream gets of it."""
    submit(client, *names)
    batch = claim(client, limit=1000)
    jobs = [job.job_id for job in batch.jobs]
    assert sorted(jobs) == sorted(names)
    rows = len(jobs)
    for name in batch.stages:
        client.record(batch.batch_id, [at_now(started(name, jobs)), at_now(completed(name, jobs))])
        rows += 2 * len(jobs)
    client.record(batch.batch_id, [done(jobs)])
    return rows + len(jobs)


def at_now(event: EventData) -> EventData:
    """The event as if it had happened just now."""
    now = time.time()
    match event:
        case StageStarted():
            return replace(event, t0=now)
        case StageCompleted() | StageFailed():
            return replace(event, t0=now, t1=now)
        case _:
            return event


def prepared(process: LedgerProcess) -> LedgerClient:
    """A client of a ledger that knows the pipelines."""
    client = process.client()
    register(client)
    return client
