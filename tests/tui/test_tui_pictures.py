"""Every mode in every size as the picture that the screen exports: the same text as in the terminal, and whole."""

import html
import re

import pytest

from medkg_lab.tui.modes import MODES
from tests.labs import TestLab
from tests.tui.screens import SIZES, opened

pytestmark = pytest.mark.asyncio
SHOWN = {
    "lab": ("Needs you", "Processes · 8 of 8 up", "Flow"),
    "jobs": ("DOCUMENT", "STATE", "✗ failed", "◇ at gate"),
    "events": ("ledger", "WHAT", "STAGE", "✓ completed"),
    "pipelines": ("ingest", "embed", "jobs"),
    "gate": ("Gates · ", "PAGES", "✗ 1 missing"),
    "search": ("Search", "Hits"),
    "logs": ("Logs · all", "PROCESS", "LEVEL"),
    "replay": ("No incident was imported", "medkg-lab repro import"),
    "graph": ("Node", "Type a name above"),
    "sql": ("Statement", "Rows"),
}
"""What each mode shows on a lab that has run the demo, at any size."""


def text_of(picture: str) -> list[str]:
    """The text of an exported picture, a string for each row."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for left, top, text in re.findall(
        r'<text[^>]*\bx="([\d.]+)"[^>]*\by="([\d.]+)"[^>]*>(.*?)</text>', picture, re.DOTALL
    ):
        rows.setdefault(float(top), []).append((float(left), html.unescape(text)))
    return ["".join(text for _, text in sorted(rows[top])) for top in sorted(rows)]


@pytest.mark.parametrize("size", SIZES)
async def test_pictures_hold_what_is_seen(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await screen.sees("8 of 8 up", "Needs you")
        for mode in MODES:
            await screen.app.switch_mode(mode.word)
            await screen.sees(*SHOWN[mode.word], seconds=60)
            lines = screen.text.splitlines()
            assert len(lines) == size[1]
            assert f"{mode.number} {mode.short if size[0] < 100 else mode.title}" in lines[0]
            assert lines[1].strip(), "the now-line says something"
            await screen.until(lambda: " help" in screen.text.splitlines()[-1], "the footer")
            picture = "".join(text_of(screen.app.export_screenshot())).replace("\xa0", "").replace(" ", "")
            for text in SHOWN[mode.word]:
                assert text.replace(" ", "") in picture
