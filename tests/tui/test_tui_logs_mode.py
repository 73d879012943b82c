"""The Logs mode on a real lab: merged, per process, find, follow, pause, jump."""

import pytest

from tests.labs import TestLab
from tests.tui.screens import SIZES, opened

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("size", SIZES)
async def test_logs_are_merged(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.press("7")
        await screen.sees("Logs · all · following", "engine-compute", "engine.workshop: ")


async def test_logs_of_a_process_by_key_and_by_command(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press(*"jjjjjj")
        await screen.press("l")
        await screen.sees("Logs · pdf · following", "pdf.loop")
        await screen.misses("engine.workshop")
        await screen.press("colon")
        await screen.type("logs engine-compute")
        await screen.press("enter")
        await screen.sees("Logs · engine-compute", "engine.workshop")
        await screen.press("asterisk")
        await screen.sees("Logs · all")


async def test_logs_find_step_open_pause_and_jump(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("7")
        await screen.sees("Logs · all")
        await screen.press("slash")
        await screen.type("is ready on cpu")
        await screen.press("enter")
        await screen.sees("/is ready on cpu · ", "▪")
        at = screen.app.mode.query_one("#lines").cursor
        await screen.press("N")
        assert screen.app.mode.query_one("#lines").cursor < at
        await screen.press("n")
        assert screen.app.mode.query_one("#lines").cursor == at
        await screen.press("enter")
        await screen.sees("y copy")
        await screen.press("escape", "escape")
        await screen.misses("/is ready on cpu")
        await screen.press("g")
        await screen.sees("standing")
        await screen.press("f")
        await screen.sees("following")
        await screen.press("p")
        await screen.sees("paused · 0 new")
        await screen.press("p", "t")
        await screen.sees("Jump to a time")
        await screen.type("yesterday-ish")
        await screen.press("enter")
        await screen.sees("is no time")
        await screen.press("t")
        await screen.type("-2d")
        await screen.press("enter")
        await screen.until(lambda: screen.app.mode.query_one("#lines").cursor == 0, "the first line")
