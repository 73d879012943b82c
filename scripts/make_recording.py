"""Make docs/pictures/tour.svg: a film of the screen, from a real lab that runs the bundled documents while it is filmed.

python scripts/make_recording.py            starts a lab in a temporary folder and stops it
python scripts/make_recording.py --out F    writes it somewhere else

The film is one SVG that moves by CSS alone (no script, no font from elsewhere), so that every viewer of Markdown shows it. A row
of the screen that is the same in several frames is in it once.
"""

import argparse
import asyncio
import html
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from make_pictures import is_settled
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.pilot import Pilot

from medkg_lab.lab.facade import Lab
from medkg_lab.tui.app import LabApp

OUT = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "tour.svg"
SIZE = (110, 32)
CELL, LINE = 8.4, 17.0
GROUND, INK = "#0d1317", "#dbe5e9"
TIMEOUT = 400.0
WATCHED_S, LEAST_S, STILL_S = 0.4, 0.35, 2.2
"""Seconds between two looks at a lab that works; that such a frame is shown; that the end of a scene is shown."""
MAX_MOVING = 22
"""Frames that are kept of the run of the documents."""
LARGEST = 2_000_000

Frame = tuple[tuple[Segment, ...], ...]


@dataclass
class Film:
    """Frames with how long each is shown."""

    frames: list[tuple[Frame, float]] = field(default_factory=list)

    def add(self, frame: Frame, seconds: float) -> None:
        """Show a frame; one that is the same as the last is shown longer."""
        if self.frames and self.frames[-1][0] == frame:
            self.frames[-1] = (frame, self.frames[-1][1] + seconds)
        else:
            self.frames.append((frame, seconds))

    def svg(self) -> str:
        """The film."""
        known: dict[tuple[Segment, ...], str] = {}
        styles: dict[str, str] = {}
        groups, keyframes = [], []
        total, at = sum(seconds for _, seconds in self.frames), 0.0
        for number, (frame, seconds) in enumerate(self.frames):
            uses = [
                f'<use href="#{known.setdefault(row, f"r{len(known)}")}" y="{y * LINE:.0f}"/>'
                for y, row in enumerate(frame)
            ]
            groups.append(f'<g class="f" style="animation-name:k{number}">{"".join(uses)}</g>')
            start, end = 100 * at / total, 100 * (at + seconds) / total
            before = "0%{visibility:hidden}" if start else ""
            keyframes.append(
                f"@keyframes k{number}{{{before}{start:.3f}%{{visibility:visible}}{end:.3f}%{{visibility:hidden}}}}"
            )
            at += seconds
        rows = [f'<g id="{name}">{"".join(_row(row, styles))}</g>' for row, name in known.items()]
        width, height = SIZE[0] * CELL + 16, SIZE[1] * LINE + 16
        css = "".join(f".{name}{{{rule}}}" for rule, name in styles.items())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
            f"<title>medkg-lab: the bundled documents run, then jobs, pipelines, the gate, search, the graph and SQL</title>"
            f"<style>text{{font:14px ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace;white-space:pre}}"
            f".f{{visibility:hidden;animation:{total:.1f}s step-end infinite}}{css}{''.join(keyframes)}</style>"
            f'<defs>{"".join(rows)}</defs><rect width="100%" height="100%" rx="8" fill="{GROUND}"/>'
            f'<g transform="translate(8 8)">{"".join(groups)}</g></svg>'
        )


def _row(row: Sequence[Segment], styles: dict[str, str]) -> Iterator[str]:
    """A row's ground and text, a piece for each style."""
    x = 0
    for segment in row:
        cells = cell_len(segment.text)
        style = segment.style or Style()
        ink, ground = _colours(style)
        if ground != GROUND:
            name = styles.setdefault(f"fill:{ground}", f"s{len(styles)}")
            yield f'<rect class="{name}" x="{x * CELL:.1f}" width="{cells * CELL + 0.3:.1f}" height="{LINE}"/>'
        if segment.text.strip():
            weight = ";font-weight:bold" if style.bold else ""
            name = styles.setdefault(f"fill:{ink}{weight}", f"s{len(styles)}")
            lead = len(segment.text) - len(segment.text.lstrip(" "))
            text = segment.text.strip(" ").replace(" ", "\N{NO-BREAK SPACE}")  # viewers join runs of others
            place = f'x="{(x + lead) * CELL:.1f}" y="13" textLength="{cell_len(text) * CELL:.1f}"'
            yield f'<text class="{name}" {place}>{html.escape(text, quote=False)}</text>'
        x += cells


def _colours(style: Style) -> tuple[str, str]:
    ink = style.color.get_truecolor().hex if style.color and not style.color.is_default else INK
    ground = style.bgcolor.get_truecolor().hex if style.bgcolor and not style.bgcolor.is_default else GROUND
    return (ground, ink) if style.reverse else (ink, ground)


def seen(app: LabApp) -> Frame:
    """What is on the screen now, neighbours of one style joined."""
    strips = app.screen._compositor.render_strips(app.size)
    return tuple(tuple(Segment.simplify(segment for segment in strip if segment.text)) for strip in strips)


class Camera:
    """Films a program while keys are pressed."""

    def __init__(self, app: LabApp, pilot: "Pilot[None]") -> None:
        self.app, self.pilot, self.film = app, pilot, Film()

    async def press(self, *keys: str, rest: float = 0.8, still: float = STILL_S) -> None:
        """Press keys, let the answer come, and show it."""
        await self.pilot.press(*keys)
        await self.pilot.pause(rest)
        self.film.add(seen(self.app), still)

    async def type(self, text: str) -> None:
        """Type text, a frame for every few letters."""
        for at, letter in enumerate(text):
            await self.pilot.press("space" if letter == " " else letter)
            if at % 3 == 2:
                self.film.add(seen(self.app), 0.15)

    async def run_documents(self) -> None:
        """Run the bundled documents and show it in a few frames, evenly over the time it takes."""
        await self.press("d", rest=0.4, still=1.4)
        await self.pilot.press("d")
        looks: list[Frame] = []
        deadline = time.monotonic() + TIMEOUT
        while not is_settled(self.app.snapshot) or not self.app.snapshot.jobs.get("completed"):
            if time.monotonic() > deadline:
                raise TimeoutError("the bundled documents did not get through")
            await self.pilot.pause(WATCHED_S)
            looks.append(seen(self.app))
        step = max(1, len(looks) // MAX_MOVING)
        for look in looks[::step]:
            self.film.add(look, LEAST_S)
        self.film.add(seen(self.app), STILL_S)


async def record(home: Path) -> Film:
    """Film the lab at `home`, which is up and empty."""
    app = LabApp(Lab.at(home), start=False)
    async with app.run_test(size=SIZE) as pilot:
        camera = Camera(app, pilot)
        while not app.snapshot.is_ready or not app.snapshot.counts:
            await pilot.pause(0.1)
        await camera.press(still=1.5)
        await camera.run_documents()
        await camera.press("2", "j", "j")
        await camera.press("w", still=2.6)
        await camera.press("escape", "4", "right_square_bracket", rest=1.2)
        await camera.press("5", rest=1.2)
        await camera.press("6", still=0.4)
        await camera.type("metformin lactic acidosis")
        await camera.press("enter", rest=2.0)
        await camera.press("A", rest=1.5)
        await camera.press("j", "enter", rest=1.5, still=2.8)
        await camera.press("0", still=0.6)
        await camera.press("ctrl+r", rest=1.5, still=2.4)
        await camera.press("1", still=1.5)
        return camera.film


def main() -> None:
    """Make the film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        lab = Lab.at(folder)
        lab.supervisor.up()
        try:
            lab.supervisor.wait_ready()
            film = asyncio.run(record(Path(folder)))
        finally:
            lab.supervisor.down()
    text = film.svg()
    if len(text.encode()) > LARGEST:
        raise SystemExit(f"{len(text.encode()):,} bytes: more than {LARGEST:,}")
    args.out.write_text(text, encoding="utf-8")
    print(f"{args.out}: {len(film.frames)} frames, {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
