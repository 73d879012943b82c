"""The screen while the lab suffers: processes killed, the lab stopped and started, nothing running."""

import os
import signal

import pytest

from tests.labs import TestLab
from tests.tui.screens import opened

pytestmark = pytest.mark.asyncio


async def test_a_killed_ledger_is_told_and_the_screen_catches_up(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("2")
        await screen.sees("Jobs · 3")
        os.kill(demo_lab.pids()["ledgerd"], signal.SIGKILL)
        await screen.until(lambda: not screen.app.snapshot.is_ready, "the screen noticing")
        await screen.press("1")
        await screen.sees("Processes · ")
        await screen.press("2", "j", "k")
        await screen.sees("DOCUMENT")
        await screen.until(lambda: screen.app.snapshot.is_ready, "the lab being whole again", seconds=60)
        await screen.press("1")
        await screen.sees("8 of 8 up")
        await screen.press("2")
        await screen.until(lambda: not screen.app.snapshot.behind, "the ledger answering")
        await screen.misses("the ledger does not answer")


@pytest.mark.full
async def test_a_lab_is_stopped_and_started_from_the_screen(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press("colon")
        await screen.type("stop")
        await screen.press("enter")
        await screen.sees("no lab is running here", seconds=60)
        for number in ("2", "3", "4", "5", "7", "1"):
            await screen.press(number)
            await screen.sees("no lab")
        await screen.press("colon")
        await screen.type("start")
        await screen.press("enter")
        await screen.sees("Starting · ", seconds=60)
        await screen.sees("8 of 8 up", seconds=120)
        await screen.press("2")
        await screen.sees("Jobs · 3")


async def test_an_action_that_is_refused_is_a_toast_with_a_remedy(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        for command, words in (
            ("open nosuchdocument", "`medkg-lab jobs list`"),
            ("open truncated", "`medkg-lab jobs list`"),
            ("retry file:dapagliflozin-hfpef.pdf nostage", "nostage"),
            ("reject file:warfarin", "A reason is needed"),
            ("restart nosuchprocess", "nosuchprocess"),
        ):
            await screen.press("colon")
            await screen.type(command)
            await screen.press("enter")
            await screen.until(lambda words=words: any(words in text for _, text in screen.app.session.told), words)  # type: ignore[misc]
        assert screen.app.is_running
