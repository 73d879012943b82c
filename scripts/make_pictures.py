"""Make docs/pictures/*.svg: the screen of a real lab that has run the demo, as the screen itself exports it.

python scripts/make_pictures.py            starts a lab in a temporary folder, runs the bundled documents, stops it
python scripts/make_pictures.py --home H   takes the pictures of the lab that runs at H
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from medkg_lab.lab import submit as submitting
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.why import needs_person
from medkg_lab.topology import bundled
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.messages import Snapshot

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SIZE = (120, 40)
PARTS = ("trials", "articles", "papers", "broken")
TIMEOUT = 400.0
SOME = 8
"""Documents that are through when the picture of a busy lab is taken."""
SETTLED = 2.0
FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
"""What would make a viewer fetch fonts from elsewhere; every viewer has a monospaced one of its own."""
KEYS = {
    "lab": ("1",),
    "pipelines": ("4", "right_square_bracket", "right_square_bracket"),
    "gate": ("5",),
    "events": ("3",),
}


def submit(lab: Lab) -> None:
    """Put the bundled documents on the queue."""
    submitting.submit(lab, [str(bundled.folder() / "demo" / part) for part in PARTS], submitting.SubmitOptions())


def is_busy(seen: Snapshot) -> bool:
    """Whether there is something to see: work on the way, some done, some at the gate."""
    return bool(seen.jobs.get("running") and seen.jobs.get("completed", 0) >= SOME and seen.gates)


def is_settled(seen: Snapshot) -> bool:
    """Whether what is left waits for a person."""
    moving = seen.jobs.get("queued") or seen.jobs.get("running")
    return bool(seen.jobs.get("completed")) and not moving and bool(seen.gates) and all(map(needs_person, seen.gates))


async def take(home: Path | None, demo: bool) -> None:
    """Take every picture; with `demo` the documents are submitted while the screen is open."""
    lab = Lab.at(home)
    app = LabApp(lab, start=False)
    async with app.run_test(size=SIZE) as pilot:
        await _until(pilot, lambda: bool(app.snapshot.counts))
        if demo:
            await asyncio.to_thread(submit, lab)
            await _until(pilot, lambda: is_busy(app.snapshot) or is_settled(app.snapshot))
        for name, keys in KEYS.items():
            if demo and name != "lab":
                await _until(pilot, lambda: is_settled(app.snapshot))
            await pilot.press(*keys)
            await pilot.pause(SETTLED if name != "lab" else 0.0)
            picture = FONTS.sub("", app.export_screenshot(title="medkg-lab"))
            (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")


async def _until(pilot: "Pilot[None]", holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the bundled documents did not get through")
        await pilot.pause(0.1)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="the folder of a lab that runs")
    args = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    if args.home is not None:
        asyncio.run(take(args.home, demo=False))
        return
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        lab = Lab.at(folder)
        lab.supervisor.up()
        try:
            lab.supervisor.wait_ready()
            asyncio.run(take(Path(folder), demo=True))
        finally:
            lab.supervisor.down()


if __name__ == "__main__":
    main()
