"""A lab that stands still: all that the screen asked of a real lab at one moment, answered again in the same way.

A recording has the moment, the snapshot, every answer of a process by its question as both travel, the artifacts and the ends of
the logs: the clients and all above them are the real ones. The clock and the time zone stand still too, so that the same program
paints the same picture on any day and machine.
"""

import base64
import gzip
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from medkg_lab import rpc
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.flow import StageFlow
from medkg_lab.locations import locate
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.appearance import Appearance
from medkg_lab.tui.messages import Snapshot, SnapshotTaken
from medkg_lab.tui.modes import MODES
from medkg_lab.tui.screens.sql import screen as sql
from tests.tui.screens import Screen

GOLDEN = Path(__file__).parent / "golden"
RECORDING = GOLDEN / "lab.json.gz"
KEYS = {
    "pipelines": ("right_square_bracket", "right_square_bracket"),
    "jobs": ("j",),
    "graph": (*"metformin", "enter"),
    "sql": ("ctrl+r",),
}
"""Keys that are pressed in a mode before its picture is taken."""
LOG_BYTES = 4000
STANDING = Appearance(reduced_motion=True)
"""A cursor that blinks would be in every second picture."""
STILL, STILL_WHILE_ASKED, MAX_LOOKS = 4, 30, 600
"""Looks that have to be the same: at answers that come at once, and at those of a lab that works."""
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
_ID = re.compile(r"terminal-\d+-")


class NotRecorded(LabError):
    """The recording has no answer to {question}. Make it anew: `python scripts/make_snapshots.py --record`."""


@contextmanager
def answered(call: Callable[..., Any]) -> Iterator[None]:
    """Every question that a client asks a process of a lab goes to `call`, as rpc.Client.call has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rpc.Client, "call", call)
        yield


def keeping(answers: dict[str, Any]) -> Callable[..., Any]:
    """What asks the lab's process, and keeps what it answered in `answers`."""
    asked = rpc.Client.call

    def call(client: rpc.Client, op: str, *, deadline: float | None = None, **args: Any) -> Any:
        answer = asked(client, op, deadline=deadline, **args)
        answers[_question(client.path, op, args)] = answer
        return answer

    return call


def again(answers: dict[str, Any]) -> Callable[..., Any]:
    """What answers as the processes did when they were recorded."""

    def call(client: rpc.Client, op: str, *, deadline: float | None = None, **args: Any) -> Any:
        question = _question(client.path, op, args)
        if question not in answers:
            raise NotRecorded(question=question)
        return answers[question]

    return call


class StandingPoller:
    """Gives the one snapshot once."""

    def __init__(self, snapshot: Snapshot, post: Callable[[SnapshotTaken], Any]) -> None:
        self._snapshot, self._post = snapshot, post

    def start(self) -> None:
        """Give it."""
        self._post(SnapshotTaken(self._snapshot))

    def stop(self) -> None:
        """Nothing goes on."""

    def hurry(self) -> None:
        """Nothing changes."""


def _question(socket: Path, op: str, args: dict[str, Any]) -> str:
    return json.dumps([socket.stem, op, args], sort_keys=True, default=str)


@contextmanager
def standing_clock(at: float) -> Iterator[None]:
    """The time is `at`, in UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setattr(time, "time", lambda: at)
        patch.setattr(sql, "duration", lambda _: "8 ms")
        yield
    time.tzset()


def load() -> dict[str, Any]:
    """The recording."""
    found: dict[str, Any] = json.loads(gzip.decompress(RECORDING.read_bytes()))
    return found


def frozen_app(recording: dict[str, Any], home: Path) -> LabApp:
    """The screen on the recorded lab, whose files are made at `home`."""
    locations = locate(home)
    locations.create()
    (locations.state / "logs").mkdir(exist_ok=True)
    for name, text in recording["logs"].items():
        (locations.state / "logs" / name).write_text(text)
    store = ArtifactStore(locations.data / "artifacts", "frozen")
    store.put_many([base64.b64decode(each) for each in recording["artifacts"]])
    app = LabApp(Lab(locations), start=False, look=STANDING)
    snapshot = {**recording["snapshot"], "machine": {**recording["snapshot"]["machine"], "gpus": ()}}
    app.poller = StandingPoller(msgspec.convert(snapshot, Snapshot), app.post_message)  # type: ignore[assignment]
    return app


@asynccontextmanager
async def frozen(home: Path, size: tuple[int, int]) -> AsyncIterator[Screen]:
    """The screen of the recorded lab; the clock stands still while it is open."""
    recording = load()
    with standing_clock(recording["snapshot"]["at"]), answered(again(recording["answers"])):
        app = frozen_app(recording, home)
        async with app.run_test(size=size, notifications=True) as pilot:
            screen = Screen(app, pilot)
            await screen.until(lambda: app.snapshot.at, "the snapshot")
            yield screen


async def pictures(screen: Screen, still: int = STILL) -> dict[str, str]:
    """The picture of every mode, when nothing changes in it any more."""
    found = {}
    for mode in MODES:
        await screen.app.switch_mode(mode.word)
        if mode.word in KEYS:
            await _still(screen, still)
            await screen.press(*KEYS[mode.word])
        found[mode.word] = await _picture(screen, still)
    await screen.app.switch_mode("lab")
    screen.app.mode.snapshot = in_motion(screen.app.snapshot)
    return found | {"flow": await _picture(screen, still)}


def in_motion(seen: Snapshot) -> Snapshot:
    """The lab with 60 documents on their way through one of its pipelines, most of them before its third stage."""
    name, stages = max(seen.stages.items(), key=lambda item: (sum(seen.totals.get(item[0], {}).values()), item[0]))
    jobs = {"queued": 20, "running": 31, "completed": 8, "failed": 1}
    through = [40, 38, *(12 - at for at in range(len(stages) - 2))]
    return replace(
        seen,
        counts=replace(seen.counts, jobs=jobs) if seen.counts is not None else None,
        totals={name: jobs},
        flow={
            name: {"": {"queued": 20}, stages[1]: {"failed": 1}, stages[2]: {"running": 26}, stages[3]: {"running": 5}}
        },
        stage_flows={
            name: {each: StageFlow(done, done // 2, 40.0 + done) for each, done in zip(stages, through, strict=True)}
        },
        throughput=[0.0] * 20 + [each / 4 for each in range(40)],
        gates=(),
    )


async def _picture(screen: Screen, still: int) -> str:
    await _still(screen, still)
    return normal(screen.app.export_screenshot(title="medkg-lab"))


async def _still(screen: Screen, still: int) -> None:
    """Wait until nothing is asked and nothing changes: of cells, which are compared in a tenth of the time of a picture."""
    last: object = None
    same = 0
    for _ in range(MAX_LOOKS):
        await screen.pilot.pause(0.05)
        screen.app.mode.repaint_frame()  # as every snapshot of a lab that goes on does
        cells = screen.cells
        is_asking = any(not worker.is_finished for worker in screen.app.workers)
        same = same + 1 if cells == last and not is_asking else 0
        last = cells
        if same >= still:
            return
    raise AssertionError(f"the picture does not come to rest:\n{screen.text}")


def normal(picture: str) -> str:
    """A picture without what names its fonts, and with one id for all."""
    return _ID.sub("terminal-", _FONTS.sub("", picture))


async def record(home: Path, sizes: tuple[tuple[int, int], ...]) -> None:
    """Ask a real lab that is at rest all that the screen asks, and keep its answers."""
    answers: dict[str, Any] = {}
    real = Lab.at(home)
    with standing_clock(time.time()), answered(keeping(answers)):
        for size in sizes:
            app = LabApp(Lab.at(home), start=False, look=STANDING)
            async with app.run_test(size=size) as pilot:
                screen = Screen(app, pilot)
                await screen.until(lambda app=app: app.snapshot.is_ready and app.snapshot.stages, "the lab")  # type: ignore[misc]
                app.poller.stop()
                await pictures(screen, STILL_WHILE_ASKED)
                snapshot = app.snapshot
    logs = {path.name: _end(path) for path in sorted((real.locations.state / "logs").glob("*.log"))}
    kept = {"snapshot": asdict(snapshot), "answers": answers, "artifacts": _artifacts(real, snapshot), "logs": logs}
    text = json.dumps(kept, sort_keys=True, default=str).replace(str(real.locations.home), "/home/lab")
    RECORDING.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _end(path: Path) -> str:
    return path.read_text(errors="replace")[-LOG_BYTES:].partition("\n")[2]


def _artifacts(lab: Lab, snapshot: Snapshot) -> list[str]:
    """What the waiting gates' evidence names."""
    store = ArtifactStore(lab.locations.data / "artifacts", "reader")
    kinds = ("document", "raw", "source")
    named = [getattr(gate.evidence, kind) for gate in snapshot.gates for kind in kinds]
    return [base64.b64encode(store.get(each)).decode() for each in named if each and store.has(each)]
