"""The Search mode on a real lab: hits with ranks, passage, fusion, graph."""

import pytest

from tests.labs import TestLab
from tests.tui.screens import SIZES, opened

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("size", SIZES)
async def test_search_finds_passages_with_the_rank_of_each_leg(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.press("6")
        await screen.sees("what to look for")
        await screen.type("metformin lactic acidosis")
        await screen.press("enter")
        await screen.sees("BM25", "DENSE", "passages for metformin lactic acidosis", "✓ dense", "– sparse")


async def test_search_shows_the_passage_in_its_document_and_the_graph(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("colon")
        await screen.type("search metformin lactic acidosis")
        await screen.press("enter")
        await screen.sees("Around 1 of ")
        await screen.until(lambda: "[metformin]" in screen.text.lower(), "the word in brackets")
        first = screen.app.mode.subject()
        assert first is not None
        await screen.press("a")
        await screen.sees("Around 2 of ")
        await screen.press("n")
        await screen.until(lambda: screen.app.mode.subject() != first, "another hit")
        await screen.press("y")
        await screen.sees('"provenance"')
        await screen.press("escape", "w")
        await screen.sees("Completed at ")
        await screen.press("escape")


async def test_search_mixes_legs(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("colon")
        await screen.type("search metformin")
        await screen.press("enter")
        await screen.sees("default fusion")
        await screen.press("m", "down", "down", "down", "enter")
        await screen.sees("words only (BM25)")
        await screen.press("slash")
        assert screen.app.focused is not None
        assert screen.app.focused.id == "query"
        await screen.type("apixaban")
        await screen.sees("passages for apixaban")
        await screen.press("escape")
        assert screen.app.focused.id == "hits"
        await screen.press("slash")
        await screen.type("qqqzzz")
        await screen.sees("0 passages for qqqzzz", "No passage matches 'qqqzzz'")


async def test_at_80x24_enter_reads_the_passage(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home, (80, 24)) as screen:
        await screen.press("colon")
        await screen.type("search apixaban")
        await screen.press("enter")
        await screen.sees("Hits · ", "SCORE")
        await screen.press("enter")
        await screen.until(lambda: "[apixaban]" in screen.text.lower(), "the word in brackets")
        await screen.misses("SCORE")
        await screen.press("escape")
        await screen.sees("SCORE")
