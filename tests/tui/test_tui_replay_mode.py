"""The Replay mode on imported incidents: steps, breakpoints, values, the line of time, the first divergence."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.locations import locate
from medkg_lab.models.events import BreakerOpened, Event, EventData, JobSubmitted, StageRetrying
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.incident import WRITER
from medkg_lab.repro.manifest import Manifest, entries
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.workbench import Workbench
from medkg_lab.tui.screens.replay import render as replay_lines
from medkg_lab.tui.screens.replay.incident import ReplayState
from medkg_lab.tui.screens.replay.screen import ReplayScreen
from tests.http_service import Answer
from tests.integration.repro.support import faulty_lab, study
from tests.tui.screens import SIZES, Screen, opened
from tests.unit.ledger.worlds import failed, started, waiting
from tests.unit.repro import worlds

pytestmark = pytest.mark.asyncio
LONG = " ".join(f"Patient {number} with type 2 diabetes takes metformin every day." for number in range(24))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Three studies on a short pipeline; one has text that no terminal may get as it is."""
    texts = (LONG, f"\x1b[31mRed \u202e{LONG}", LONG)
    studies = [worlds.study(f"NCT7000000{number}", text) for number, text in enumerate(texts, 1)]
    return worlds.incident(tmp_path_factory.mktemp("made"), studies, worlds.topology(split_length=3))


@pytest.fixture
def desk(made: Archive, short_tmp: Path) -> Path:
    Workbench.of(made, locate(short_tmp / "desk"))
    return short_tmp / "desk"


@pytest.fixture(scope="module")
def storm() -> Iterator[Path]:
    """The home of a real incident: a source answered 429 until a breaker opened, and then answered."""
    policy = {
        "name": "polite-api",
        "max_attempts": 3,
        "backoff_strategy": "none",
        "timeout_seconds": 10,
        "circuit_breaker": {"failure_threshold": 3, "reset_timeout_seconds": 30},
    }
    keys = [f"NCT7700008{n}" for n in (1, 2)]
    busy = [Answer(b"slow down", 429)] * 3
    with faulty_lab() as (lab, service):
        (lab.home / "config" / "policies.yaml").write_text(yaml.safe_dump({"policies": [policy]}))
        for key in keys:
            service.answers[f"/ct/studies/{key}"] = [*busy, Answer(json.dumps(study(key)).encode())]
        lab.run("submit", *keys, "--wait", "--timeout", "100")
        jobs = [lab.ok("jobs", "show", f"clinicaltrials:{key}")["job_id"] for key in keys]
        archive = lab.home.parent / "storm.mklab"
        lab.ok("repro", "export", *jobs, "--out", str(archive))
        home = lab.home.parent / "storm"
        lab.at(home).ok("repro", "import", str(archive), "--home", str(home))
        yield home


def mode_of(screen: Screen) -> ReplayScreen:
    mode = screen.app.mode
    assert isinstance(mode, ReplayScreen)
    return mode


async def test_without_an_incident_it_says_how_one_comes_in(short_tmp: Path) -> None:
    async with opened(short_tmp, (80, 24)) as screen:
        await screen.press("8")
        await screen.sees("No incident was imported", "medkg-lab repro import FILE")
        await screen.press("n", "R", "B", "r", "enter", "right", "right_square_bracket")
        assert not mode_of(screen).has_class("deep")


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_held_at_every_stage_and_at_breakpoints(desk: Path, size: tuple[int, int]) -> None:
    async with opened(desk, size) as screen:
        await screen.press("8")
        await screen.sees("3 jobs of short", "not run again yet", "Steps · 12", "ingest", "chunk", "✓ done")
        await screen.press("n")
        await screen.sees("held before ingest of 3 jobs", "‖ held")
        await screen.press("n")
        await screen.sees("held before parse of 3 jobs", "no divergence from what was recorded in 3 steps")
        await screen.press("down", "down", "down", "B", "B")
        await screen.sees("after   chunk")
        await screen.press("R")
        await screen.sees("held after chunk of 3 jobs", "in 9 steps")
        await screen.press("R")
        await screen.sees("run 1 ended", "in 12 steps", "1 run kept")
        assert all(len(line) == size[0] for line in screen.text.splitlines())
    assert Workbench.at(desk).shelf.names() == ["1"]


async def test_input_and_output_of_the_present_step_are_json_made_safe(desk: Path) -> None:
    async with opened(desk) as screen:
        await screen.press("8")
        await screen.sees("Input of ingest · recorded", '"source": "clinicaltrials"', "Output of ingest · recorded")
        await screen.press("n")
        await screen.sees("held before ingest")
        await screen.press("n")
        await screen.sees("held before parse", "Input of parse · run 1", '"sha256": ', "has not run yet")
        await screen.press("n")
        await screen.sees("held before chunk", "Input of chunk · run 1", "document:", '"blocks": [')
        await screen.press("down", "enter", "z")
        taken = screen.app.mode.query_one("#taken")
        await screen.until(lambda: any("Red" in text for line in taken.lines for text, _ in line), "the hostile text")  # type: ignore[attr-defined]
        await screen.until(lambda: "\x1b" not in screen.text and "\u202e" not in screen.text, "safe text")
        await screen.press("escape", "escape")
        await screen.sees("Steps · 12")


async def test_starting_again_leaves_the_run_that_is_held(desk: Path) -> None:
    async with opened(desk) as screen:
        await screen.press("8", "n")
        await screen.sees("held before ingest")
        await screen.press("n")
        await screen.sees("held before parse")
        await screen.press("r")
        await screen.sees("held before ingest", "in 0 steps")
        await screen.press("R")
        await screen.sees("run 1 ended")
        await screen.press("r")
        await screen.sees("run 2 held before ingest")
    assert Workbench.at(desk).shelf.names() == ["1"]


async def test_the_first_divergence_is_named(made: Archive, short_tmp: Path) -> None:
    bench = Workbench.of(made, locate(short_tmp / "desk"))
    await asyncio.to_thread(bench.run, ReplayOverrides(topologies={"short": worlds.topology(split_length=5)}))
    async with opened(short_tmp / "desk") as screen:
        await screen.press("8")
        await screen.sees(
            "run 1 ended", "first divergence: chunk → clinicaltrials:NCT70000001", "D lists them", "✗ differs"
        )
        await screen.press("D")
        await screen.sees("different: topology of short", "medkg-lab repro diff")
        await screen.press("escape", "R")
        await screen.sees("run 2 ended", "no divergence")


async def test_a_run_that_cannot_be_is_told(made: Archive, short_tmp: Path) -> None:
    """The store is written to by another run, as `medkg-lab repro run` beside the screen would."""
    bench = Workbench.of(made, locate(short_tmp / "desk"))
    other = ArtifactStore(bench.incident.locations.data / "artifacts", writer=WRITER)
    try:
        async with opened(short_tmp / "desk") as screen:
            await screen.press("8", "n")
            await screen.sees("✗ Another process already writes artifacts")
            other.close()
            await screen.press("n")
            await screen.sees("held before ingest")
    finally:
        other.close()


async def test_an_output_that_the_archive_lacks_is_said(made: Archive, short_tmp: Path) -> None:
    events = [orjson.loads(line) for line in made.members[names.EVENTS].splitlines()]
    [first, *_] = [event for event in events if event["type"] == "stage.completed"]
    gone = f"{names.ARTIFACTS}{first['data']['refs'][0]}"
    members = {name: data for name, data in made.members.items() if name != gone}
    manifest = {**vars(made.manifest), "files": entries(members), "missing": [gone]}
    Workbench.of(Archive(Manifest.model_validate(manifest), members), locate(short_tmp / "desk"))
    async with opened(short_tmp / "desk") as screen:
        await screen.press("8")
        await screen.sees("payload: not in the archive")


HELD = """
import asyncio, sys
from pathlib import Path
from tests.tui.screens import opened

async def held():
    async with opened(Path(sys.argv[1])) as screen:
        await screen.press("8")
        await screen.sees("not run again yet")
        await screen.press("n")
        await screen.sees("held before ingest")
        await screen.press("n")
        await screen.sees("held before parse")

asyncio.run(held())
"""


async def test_leaving_the_screen_while_a_run_is_held_ends_cleanly(desk: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", HELD, str(desk)]
    ended = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=100
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.full
@pytest.mark.timeout(400)
async def test_a_real_storm_is_scrubbed_through_and_run_again(storm: Path) -> None:
    async with opened(storm) as screen:
        await screen.press("8")
        await screen.sees("2 jobs of", "↻", "job.submitted", "1 of ")
        seen = set()
        for _ in range(12):
            await screen.press("right_square_bracket")
            seen |= {word for word in ("stage.retrying", "breaker.opened") if word in screen.text}
        assert seen == {"stage.retrying", "breaker.opened"}
        at = mode_of(screen)._event
        await screen.press("left", "left", "right")
        assert mode_of(screen)._event == at - 1
        await screen.press("n")
        await screen.sees("held before ingest", "‖ held", seconds=120)
        await screen.press("R")
        await screen.sees("run 1 ended", "no divergence from what was recorded", seconds=120)
        await screen.sees("✗ failed", "try 2 failed: rate_limited")


async def test_the_line_of_time_is_as_wide_as_it_is_told_and_shows_what_matters_most() -> None:
    happened: list[EventData] = [
        JobSubmitted(()),
        started("ingest", ["a"]),
        StageRetrying("ingest", ("a",), 1, 0.5, "service", "503"),
        failed("ingest", "a")[0],
        BreakerOpened("polite-api", "ctgov", 3, 30.0, 132.0, "engine"),
        waiting(["b"]),
    ]
    events = [Event(at, str(at), 100.0 + (at - 1) // 2, data) for at, data in enumerate(happened, 1)]
    for width in (1, 10, 77):
        line = replay_lines.time_line(events, 0, width)
        assert len(line) == width
        assert sum("reverse" in token for _, token in line) == 1
    assert [text for text, _ in replay_lines.time_line(events, 0, 3)] == ["•", "✗", "▲"]
    assert replay_lines.next_notable(events, 0, 1) == 2
    assert replay_lines.next_notable(events, 2, -1) == 2
    assert replay_lines.last_before(events, 101.5) == 3
    assert replay_lines.time_line([], 0, 5) == [("nothing happened", "muted")]


async def test_breakpoints_go_round_and_a_gate_is_only_held_after() -> None:
    assert [replay_lines.following(each, True) for each in ("", "before", "after")] == ["before", "after", ""]
    assert [replay_lines.following(each, False) for each in ("", "after")] == ["after", ""]
    assert not ReplayState("ended").is_held
    assert ReplayState("after").is_held
