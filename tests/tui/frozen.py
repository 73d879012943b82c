"""A lab that stands still: all that the screen asked of a real lab at one moment, answered again in the same way.

A recording has the moment, the snapshot, every answer by its question, the artifacts and the ends of the logs. The clock and the
time zone stand still too, so that the same program paints the same picture on any day and machine.
"""

import base64
import gzip
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.locations import locate
from medkg_lab.settings import ScreenSettings
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.messages import Snapshot, SnapshotTaken
from medkg_lab.tui.modes import MODES
from tests.tui.screens import Screen

GOLDEN = Path(__file__).parent / "golden"
RECORDING = GOLDEN / "lab.json.gz"
KEYS = {"pipelines": ("right_square_bracket", "right_square_bracket"), "jobs": ("j",)}
"""Keys that are pressed in a mode before its picture is taken."""
LOG_BYTES = 4000
STANDING = ScreenSettings(reduced_motion=True)
"""A cursor that blinks would be in every second picture."""
STILL, STILL_WHILE_ASKED, MOST_LOOKS = 10, 30, 600
"""Looks that have to be the same: at answers that come at once, and at those of a lab that works."""
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
_ID = re.compile(r"terminal-\d+-")


class NotRecorded(LabError):
    """The recording has no answer to {question}. Make it anew: `python scripts/make_snapshots.py --record`."""


class Told:
    """The client `name` of a lab; what it answers is kept in `answers`."""

    def __init__(self, name: str, client: Any, answers: dict[str, Any]) -> None:
        self._name, self._client, self._answers = name, client, answers

    def __getattr__(self, op: str) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            question = _question(self._name, op, args, kwargs)
            answer = getattr(self._client, op)(*args, **kwargs)
            self._answers[question] = answer
            return answer

        return ask


class Again:
    """The client `name` as it answered when it was recorded."""

    def __init__(self, name: str, answers: dict[str, Any]) -> None:
        self._name, self._answers = name, answers

    def __getattr__(self, op: str) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            question = _question(self._name, op, args, kwargs)
            if question not in self._answers:
                raise NotRecorded(question=question)
            return self._answers[question]

        return ask


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


def _question(name: str, op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return json.dumps([name, op, args, kwargs], sort_keys=True, default=str)


@contextmanager
def standing_clock(at: float) -> Iterator[None]:
    """The time is `at`, in UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setattr(time, "time", lambda: at)
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
    lab = Lab(locations)
    lab.supervisor, lab.ledger, lab.knowledge = (  # type: ignore[assignment]
        Again(name, recording["answers"]) for name in ("supervisor", "ledger", "knowledge")
    )
    app = LabApp(lab, start=False, look=STANDING)
    snapshot = {**recording["snapshot"], "machine": {**recording["snapshot"]["machine"], "gpus": ()}}
    app.poller = StandingPoller(Snapshot(**snapshot), app.post_message)  # type: ignore[assignment]
    return app


@asynccontextmanager
async def frozen(home: Path, size: tuple[int, int]) -> AsyncIterator[Screen]:
    """The screen of the recorded lab; the clock stands still while it is open."""
    recording = load()
    with standing_clock(recording["snapshot"]["at"]):
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
        await _still(screen, still)
        await screen.press(*KEYS.get(mode.word, ()))
        found[mode.word] = await _still(screen, still)
    return found


async def _still(screen: Screen, still: int) -> str:
    last, same = "", 0
    for _ in range(MOST_LOOKS):
        await screen.pilot.pause(0.05)
        screen.app.mode.repaint_frame()  # as every snapshot of a lab that goes on does
        picture = normal(screen.app.export_screenshot(title="medkg-lab"))
        same = same + 1 if picture == last else 0
        last = picture
        if same >= still:
            return picture
    raise AssertionError(f"the picture does not come to rest:\n{screen.text}")


def normal(picture: str) -> str:
    """A picture without what names its fonts, and with one id for all."""
    return _ID.sub("terminal-", _FONTS.sub("", picture))


async def record(home: Path, sizes: tuple[tuple[int, int], ...]) -> None:
    """Ask a real lab that is at rest all that the screen asks, and keep its answers."""
    answers: dict[str, Any] = {}
    real = Lab.at(home)
    with standing_clock(time.time()):
        for size in sizes:
            lab = Lab.at(home)
            lab.supervisor, lab.ledger, lab.knowledge = (  # type: ignore[assignment]
                Told(name, getattr(real, name), answers) for name in ("supervisor", "ledger", "knowledge")
            )
            app = LabApp(lab, start=False, look=STANDING)
            async with app.run_test(size=size) as pilot:
                screen = Screen(app, pilot)
                await screen.until(lambda app=app: app.snapshot.is_ready and app.snapshot.counts, "the lab")  # type: ignore[misc]
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
    named = [(gate.get("evidence") or {}).get(kind) for gate in snapshot.gates for kind in kinds]
    return [base64.b64encode(store.get(each)).decode() for each in named if each and store.has(each)]
