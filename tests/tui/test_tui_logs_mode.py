"""The Logs mode on a real lab: merged, per process, find, follow, pause, jump."""

import pytest

from medkg_lab.tui.widgets.table import Table
from tests.labs import TestLab
from tests.tui.screens import SIZES, opened

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("size", SIZES)
async def test_logs_are_merged(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.press("7")
        await screen.sees("Logs · all · following", "TEXT", "info", " lines")


async def test_logs_of_a_process_by_key_and_by_command(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press(*"jjjjjj")
        await screen.press("l")
        await screen.sees("Logs · pdf · following", "pdf.loop")
        await screen.misses("engine.stage_factory")
        await screen.press("colon")
        await screen.type("logs engine-compute")
        await screen.press("enter")
        await screen.sees("Logs · engine-compute", "engine.stage_factory")
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
        at = screen.app.mode.query_one("#lines", Table).cursor
        await screen.press("N")
        assert screen.app.mode.query_one("#lines", Table).cursor < at
        await screen.press("n")
        assert screen.app.mode.query_one("#lines", Table).cursor == at
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
        await screen.sees("is not a time")
        await screen.press("t")
        await screen.type("-2d")
        await screen.press("enter")
        await screen.until(lambda: screen.app.mode.query_one("#lines", Table).cursor == 0, "the first line")


async def test_long_lines_wrap_and_are_cut_again(demo_lab: TestLab) -> None:
    log = demo_lab.home / "state" / "logs" / "zz-long.log"
    long = " ".join(f"word{number}" for number in range(80))
    log.write_text(
        f"2026-01-01 00:00:00,000 INFO medkg_lab.long: {long}\n2026-01-01 00:00:01,000 ERROR medkg_lab.x: next\n"
    )
    try:
        async with opened(demo_lab.home) as screen:
            await screen.press("7")
            await screen.sees("Logs · all")
            screen.app.mode.command(["zz-long"])
            await screen.sees("long: word0", "2 lines")
            assert "word79" not in screen.text
            await screen.press("W")
            await screen.sees("word79")
            shown = "".join(line.split("│")[-2] for line in screen.text.splitlines() if "word" in line and "│" in line)
            assert "".join(shown.split()).replace("…", "").count("word") == 80, "no word is lost"
            await screen.press("g", "right_square_bracket", "enter")
            await screen.sees("zz-long · ", "error", "x: next")
            await screen.press("escape", "W")
            await screen.misses("word79")
    finally:
        log.unlink()


async def test_a_process_is_restarted_from_its_lines(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press("colon")
        await screen.type("logs engine-compute")
        await screen.press("enter")
        await screen.sees("Logs · engine-compute", "engine.stage_factory")
        await screen.press("r")
        await screen.sees("Restart engine-compute", "medkg-lab restart engine-compute")
        await screen.press("escape")
        await screen.misses("medkg-lab restart engine-compute")
