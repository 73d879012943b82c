"""The Lab mode on a real lab: processes, what needs the person, the dialogs, why."""

import pytest

from tests.labs import TestLab
from tests.tui.screens import SIZES, opened

pytestmark = pytest.mark.asyncio

NAMES = ("broker", "ledgerd", "knowledge", "bridge", "engine-compute", "engine-network", "pdf", "dagsterd")


@pytest.mark.parametrize("size", SIZES)
async def test_lab_shows_processes_needs_and_places(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.sees("8 of 8 up", "Needs you", "1 document at a gate for", "pdf_gate", *NAMES)
        # The keys are painted in a frame of their own, after what stands above them.
        await screen.until(lambda: "? help" in screen.text.splitlines()[-1], "the keys on the last line")
        seen = screen.text
        assert len(seen.splitlines()) == size[1]
        if size[1] > 32:
            assert "no GPU: profile cpu" in seen or "GPU 0" in seen
            assert "fsync" in seen
            assert "Lag" in seen


async def test_enter_shows_all_about_a_process_and_why_explains_it(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press("enter")
        await screen.sees("the end of its log", "CPU time")
        await screen.press("escape")
        await screen.misses("the end of its log")
        await screen.press("j", "w")
        await screen.sees("Why: ledgerd", "ledgerd is ready", "r restart", "medkg-lab status --why")
        await screen.press("escape")
        await screen.misses("Why: ledgerd")


async def test_doctor_says_what_the_profile_needs(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press("D")
        await screen.sees("Doctor · ", "✓ ", seconds=60)
        await screen.press("escape")
        await screen.misses("Doctor · ")


async def test_restart_asks_then_restarts(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        before = demo_lab.pids()["pdf"]
        await screen.press(*"jjjjjj")
        await screen.press("r")
        await screen.sees("Restart pdf", "medkg-lab restart pdf")
        await screen.press("escape")
        await screen.misses("medkg-lab restart pdf")
        await screen.press("r")
        await screen.sees("Restart pdf")
        await screen.press("r")
        await screen.sees("Restarting pdf")
        await screen.until(lambda: demo_lab.pids().get("pdf") not in {None, before}, "another pid of pdf")
        await screen.sees("8 of 8 up")


async def test_quit_asks_and_stays(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await screen.press("q")
        await screen.sees("Leave the screen", "Keep the lab running", "Stop the lab", "medkg-lab down")
        await screen.press("escape")
        await screen.misses("Leave the screen")
        await screen.press("q", "k")
        await screen.until(lambda: not screen.app.is_running, "the screen being left")
    assert demo_lab.ok("status")["jobs"]
