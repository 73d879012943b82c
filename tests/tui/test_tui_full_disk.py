"""The screen of a lab whose disk fills up and gets room again: a real lab on a file system small enough to be filled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab.topology import bundled
from tests.disks import NoMount, fill_up, small_disk
from tests.labs import TestLab
from tests.tui.screens import Screen, opened

pytestmark = [pytest.mark.asyncio, pytest.mark.full, pytest.mark.timeout(600)]


@pytest.fixture
def small_lab(short_tmp: Path) -> Iterator[TestLab]:
    """A lab that runs on a file system of its own."""
    lab = TestLab(short_tmp / "lab", short_tmp / "cache")
    try:
        with small_disk(lab.home):
            try:
                lab.ok("up")
                yield lab
            finally:
                lab.run("down")
    except NoMount:
        pytest.skip("no file system can be mounted here")


async def submit(screen: Screen, path: Path) -> None:
    """Submit documents as a person does."""
    await screen.press("i")
    await screen.sees("Submit documents")
    await screen.type(str(path))
    await screen.press("enter")


def at_rest(screen: Screen) -> bool:
    """Whether documents are through, and none is under way."""
    jobs = screen.app.snapshot.jobs
    return bool(jobs.get("completed")) and not jobs.get("running") and not jobs.get("queued")


def is_refused(screen: Screen) -> bool:
    """Whether it was said that something was not done, and what to do."""
    return any("disk is full" in text and "Make room" in text for _, text in screen.app.session.told)


async def moves_about(screen: Screen) -> None:
    """Every mode is shown, and says what is wrong."""
    for mode in screen.app.session.modes:
        await screen.app.switch_mode(mode.word)
        await screen.sees("the disk is full", f"{mode.number} {mode.title}", seconds=10)
    await screen.app.switch_mode("lab")


async def test_a_full_disk_is_said_and_the_lab_goes_on_with_room(small_lab: TestLab) -> None:
    documents = bundled.folder() / "demo"
    ballast = small_lab.home / "ballast"
    async with opened(small_lab.home) as screen:
        await screen.sees("8 of 8 up")
        await submit(screen, documents / "trials")
        await screen.until(lambda: at_rest(screen), "the documents going through", seconds=120)
        done = screen.app.snapshot.jobs["completed"]
        fill_up(ballast)
        await screen.sees("the disk is full", "w say why", seconds=20)
        await moves_about(screen)
        await screen.press("w")
        await screen.sees("until there is room")
        await screen.press("escape")
        await submit(screen, documents / "articles")
        await screen.until(lambda: is_refused(screen), "the submission being refused", seconds=60)
        await moves_about(screen)
        assert any("is full" in sentence for sentence in small_lab.ok("status", "--why")["why"])
        assert screen.app.snapshot.jobs["completed"] == done
        ballast.unlink()
        await screen.misses("the disk is full", seconds=20)
        await screen.until(lambda: screen.app.snapshot.is_ready, "the lab being whole", seconds=120)
        await submit(screen, documents / "articles")
        await screen.until(
            lambda: screen.app.snapshot.jobs.get("completed", 0) > done, "more going through", seconds=120
        )
        await screen.press("3")
        await screen.sees("● live", "✓ completed")
