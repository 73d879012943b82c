"""Make tests/tui/golden: the pictures that the screen's tests compare with, of a lab that was recorded once.

python scripts/make_snapshots.py                  paints the pictures anew from the recording, after a change of the screen
python scripts/make_snapshots.py --record         runs the demo in a temporary lab, records it, and paints
python scripts/make_snapshots.py --record --home H   records the lab that runs at H, which must be at rest
python scripts/make_snapshots.py --show FOLDER    also writes the pictures to a folder, to be looked at
"""

import argparse
import asyncio
import gzip
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from medkg_lab.lab import submit as submitting  # noqa: E402 - the path comes first
from medkg_lab.lab.facade import Lab  # noqa: E402 - the path comes first
from medkg_lab.lab.why import needs_person  # noqa: E402 - the path comes first
from medkg_lab.topology import bundled  # noqa: E402 - the path comes first
from tests.tui.frozen import GOLDEN, frozen, pictures, record  # noqa: E402 - the path comes first
from tests.tui.screens import SIZES  # noqa: E402 - the path comes first

PARTS = ("trials", "articles", "papers", "broken")
TIMEOUT = 400.0


async def paint(show: Path | None) -> None:
    """Paint every mode in every size from the recording."""
    for width, height in SIZES:
        with tempfile.TemporaryDirectory(prefix="mk") as folder:
            async with frozen(Path(folder) / "lab", (width, height)) as screen:
                for mode, picture in (await pictures(screen)).items():
                    name = f"{mode}-{width}x{height}.svg"
                    (GOLDEN / f"{name}.gz").write_bytes(gzip.compress(picture.encode(), 9, mtime=0))
                    if show is not None:
                        (show / name).write_text(picture, encoding="utf-8")


def at_rest(lab: Lab) -> bool:
    """Whether what is left waits for a person, and everything is in step."""
    jobs, gates = lab.ledger.counts().jobs, lab.ledger.gates(state="waiting")
    moving = jobs.get("queued") or jobs.get("running")
    return bool(jobs.get("completed")) and not moving and bool(gates) and all(map(needs_person, gates))


def record_demo() -> None:
    """Run the bundled documents in a lab of its own and record that."""
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        lab = Lab.at(folder)
        lab.supervisor.up()
        try:
            lab.supervisor.wait_ready()
            submitting.submit(
                lab, [str(bundled.folder() / "demo" / part) for part in PARTS], submitting.SubmitOptions()
            )
            until = time.monotonic() + TIMEOUT
            while not at_rest(lab):
                if time.monotonic() > until:
                    raise TimeoutError("the bundled documents did not get through")
                time.sleep(0.2)
            asyncio.run(record(Path(folder), SIZES))
        finally:
            lab.supervisor.down()


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="record a lab first")
    parser.add_argument("--home", type=Path, help="the folder of a lab that runs")
    parser.add_argument("--show", type=Path, help="a folder for the pictures")
    args = parser.parse_args()
    if args.show is not None:
        args.show.mkdir(parents=True, exist_ok=True)
    if args.record and args.home is not None:
        asyncio.run(record(args.home, SIZES))
    elif args.record:
        record_demo()
    asyncio.run(paint(args.show))


if __name__ == "__main__":
    main()
