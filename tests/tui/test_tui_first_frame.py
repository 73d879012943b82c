"""What stands on the screen first: it is there before anything heavy is loaded, and says nothing that was not looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medkg_lab import launch
from medkg_lab.tui import alerts
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.screens.lab import render
from tests import answers
from tests.tui.screens import opened

HEAVY = {
    "confluent_kafka", "dagster", "duckdb", "httpx", "markdown_it", "numpy", "psutil", "pydantic", "pygments", "yaml",
    "medkg_lab.lab.status", "medkg_lab.tui.screens.jobs.screen", "medkg_lab.tui.screens.pipelines.screen",
}  # fmt: skip
FIRST_FRAME = """
import json, sys
from medkg_lab.lab.facade import Lab
from medkg_lab.tui.app import LabApp

class FirstFrame(LabApp):
    def _load_modes(self):
        print(json.dumps(sorted(sys.modules)))
        self.exit()

FirstFrame(Lab.at(sys.argv[1]), start=False).run(headless=True, size=(120, 40))
"""


def text_of(line: object) -> str:
    """A line as text."""
    return "".join(text for text, _ in line)  # type: ignore[attr-defined]


def test_the_first_frame_waits_for_nothing_heavy(short_tmp: Path) -> None:
    command = [sys.executable, "-P", "-c", FIRST_FRAME, str(short_tmp)]
    ran = subprocess.run(
        command,
        env=launch.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    loaded = set(json.loads(ran.stdout))
    assert "medkg_lab.tui.screens.lab.screen" in loaded
    assert not loaded & HEAVY


def test_before_anything_was_looked_at_nothing_is_said_about_the_lab() -> None:
    unseen = Snapshot()
    assert text_of(alerts.now(unseen)) == "◐ looking at the lab …"
    assert alerts.health(unseen)[1] == "looking"
    assert text_of(render.no_lab(unseen, True)) == "◐ looking at the lab …"
    assert "Reading" in text_of(render.places(unseen, False, 20)[0])
    assert text_of(render.behind(unseen)[0]) == "not known yet"
    first = Snapshot(at=1.0, lab=answers.lab(answers.process("ledgerd")), counts=answers.counts(jobs={"completed": 3}))
    assert "Reading" in text_of(render.places(first, False, 20)[0]), "the pipelines are read a moment later"


@pytest.mark.asyncio
async def test_the_first_look_says_that_no_lab_runs(short_tmp: Path) -> None:
    async with opened(short_tmp) as screen:
        await screen.sees("no lab is running here", ":start")
