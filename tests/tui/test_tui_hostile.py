"""Foreign text on the screen: whatever it holds, no terminal sees a control character, and nothing is read as markup."""

import time
import unicodedata
from pathlib import Path

import pytest
from textual.app import ComposeResult

from medkg_lab.knowledge.answers import Hit, Provenance
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.gates import Evidence
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.dialogs import Choice, Dialog, Question, Sheet, Why
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.modes import Mode
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.gate import render as gate_lines
from medkg_lab.tui.screens.jobs import render as job_lines
from medkg_lab.tui.screens.jobs.render import JobDetail
from medkg_lab.tui.screens.lab import render as lab_lines
from medkg_lab.tui.screens.logs import render as log_lines
from medkg_lab.tui.screens.search import render as search_lines
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import Lines, Panel, fit, safe, wrapped
from medkg_lab.tui.widgets.table import Cell, Row, Table
from tests import answers
from tests.tui.screens import Screen

pytestmark = pytest.mark.asyncio
OSC52 = "\x1b]52;c;ZXZpbA==\x07"
HOSTILE = (
    OSC52,
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x9b31mc1\x9d52;c;eA==\x9c",
    "\u202egpj.exe\u202c \u2066isolated\u2069",
    "bell\x07 back\x08\x08 del\x7f null\x00",
    "two\nlines\r\ttabbed",
    "[bold red]markup[/] [@click=app.quit]quit[/] [link=file:///etc]x[/link]",
    "lone \udcff surrogate",
    "zero\u200bwidth\u200d\u2060 soft\u00adhyphen \ufeffmark heart\ufe0f",
    "tags\U000e0068\U000e0069\U000e007f selector\U000e0100",
    "line\u2028paragraph\u2029",
)
EVERYTHING = " ".join(HOSTILE)


def is_harmless(text: str) -> bool:
    """Whether a terminal would print every character of a text as it stands."""
    kinds = {unicodedata.category(each) for each in text if each != "\n"}
    selectors = {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
    return not kinds & {"Cc", "Cs", "Cf", "Zl", "Zp"} and not set(text) & selectors


class HostileScreen(ModeScreen):
    """Every widget of ours, full of foreign text."""

    word = "hostile"

    def compose_mode(self) -> ComposeResult:
        """One of each."""
        yield Panel(EVERYTHING, [[(each, "text")] for each in HOSTILE], id="panel")
        yield Lines([[(each, "text")] for each in HOSTILE])
        table = Table((Column(EVERYTHING, 30), Column("B", 0)), id="table")
        yield table

    def on_mount(self) -> None:
        """Fill the table."""
        table = self.query_one(Table)
        table.show([Row(f"{at}", (Cell(each), Cell(each))) for at, each in enumerate(HOSTILE)])
        table.head(EVERYTHING, EVERYTHING)
        self.query_one(Panel).head(EVERYTHING, EVERYTHING)

    def now(self, snapshot: Snapshot) -> list[tuple[str, str]]:
        """Foreign text in the now-line."""
        return [(EVERYTHING, "text")]


HOSTILE_MODE = Mode(1, "hostile", "Hostile", "Hostile", lambda: HostileScreen, lambda _: OSC52)


async def test_every_widget_dialog_and_toast_is_harmless(short_tmp: Path) -> None:
    app = LabApp(Lab.at(short_tmp), start=False, modes=(HOSTILE_MODE,))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = Screen(app, pilot)
        await screen.sees("ZXZpbA==", "[bold red]markup[/]")
        assert is_harmless(screen.text)
        lines = [[(each, "text")] for each in HOSTILE]
        asked = Question(EVERYTHING, lines, (Choice("k", EVERYTHING, "k"),), EVERYTHING, options=[("a", EVERYTHING)])
        for dialog in (Dialog(asked), Sheet(EVERYTHING, lines, EVERYTHING), Why(EVERYTHING, lines[0], {}, EVERYTHING)):
            app.push_screen(dialog)
            await screen.sees("ZXZpbA==")
            await pilot.pause()
            assert is_harmless(screen.text), type(dialog)
            await screen.press("escape")
        app.notify(EVERYTHING)
        await screen.until(lambda: len(app.screen.query("Toast")) == 1, "a toast")
        await pilot.pause()
        assert is_harmless(screen.text)
        app.mode.show_messages()
        await screen.sees("Messages")
        await pilot.pause()
        assert is_harmless(screen.text)


@pytest.mark.parametrize("text", [*HOSTILE, EVERYTHING])
async def test_cells_and_lines_are_harmless(text: str) -> None:
    assert is_harmless(safe(text))
    assert is_harmless(fit(text, 40))
    assert all(is_harmless(span[0]) for row in wrapped(text, 20) for span in row)


async def test_copying_writes_no_control_characters(short_tmp: Path) -> None:
    written: list[str] = []

    class Recording(LabApp):
        def copy_to_clipboard(self, text: str) -> None:
            written.append(text)

    app = Recording(Lab.at(short_tmp), start=False, modes=(HOSTILE_MODE,))
    async with app.run_test(size=(120, 40)) as pilot:
        app.mode.show_raw("thing", {"text": EVERYTHING})
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
    assert len(written) == 1
    assert is_harmless(written[0])


async def test_pure_rows_of_every_mode_are_harmless_when_painted() -> None:
    now = time.time()
    gate = {
        "job_id": EVERYTHING, "doc_id": EVERYTHING, "gate": EVERYTHING, "waiting_since": now,
        "condition": {"ledger_field": EVERYTHING, "equals": True}, "stages": [EVERYTHING],
        "evidence": {"pages": 3, "missing_pages": [2], "tool": EVERYTHING, "document": EVERYTHING},
    }  # fmt: skip
    job = answers.job(
        job_id=EVERYTHING, doc_id=EVERYTHING, doc_key=EVERYTHING, state="failed", pipeline=EVERYTHING,
        pipeline_version=EVERYTHING, stage=EVERYTHING, failure_kind=EVERYTHING, reason=EVERYTHING,
        created_at=now, updated_at=now, gate=gate,
        stages=[
            {"stage": EVERYTHING, "t0": now, "t1": now + 1, "ms": 1.0, "count": 1, "kind": EVERYTHING, "ref": EVERYTHING,
             "implementation": EVERYTHING, "device": EVERYTHING, "batch": EVERYTHING}
        ],
    )  # fmt: skip
    listed = answers.listed(
        job_id=EVERYTHING, doc_id=EVERYTHING, pipeline_name=EVERYTHING, current_stage=EVERYTHING, state="failed",
        failure_kind=EVERYTHING, reason=EVERYTHING,
    )  # fmt: skip
    assert job.gate is not None
    hit = Hit(
        chunk_id=EVERYTHING, doc_id=EVERYTHING, title=EVERYTHING, section=[EVERYTHING], page=1, text=EVERYTHING,
        snippet=EVERYTHING, marks=[(0, 6)], score=1.0, scores={"bm25": 1.0}, ranks={"bm25": 1},
        provenance=Provenance(EVERYTHING, EVERYTHING, EVERYTHING, [EVERYTHING], 1, []),
    )  # fmt: skip
    process = answers.process(EVERYTHING, EVERYTHING, reason=EVERYTHING, rss_mb=1.0, since=now, cpu_seconds=1.0)
    detail, seen = JobDetail(job, policy=EVERYTHING), Evidence(job.gate, job)
    rows = [
        job_lines.job_row(listed, now), *job_lines.timeline(detail, 40, now), *job_lines.in_out(detail),
        *job_lines.error_rows(detail, 60), *job_lines.lineage(detail), gate_lines.gate_row(job.gate, now),
        *search_lines.hit_rows([hit]), lab_lines.process_row(process, Snapshot(), now),
        *(row for line in log_lines.read(EVERYTHING, list(HOSTILE), now, 0, now) for row in log_lines.rows(line, True, 40)),
    ]  # fmt: skip
    lines = [
        *job_lines.verdict(job, now), *job_lines.stage_lines(detail, EVERYTHING, []), *gate_lines.verdict(seen),
        *gate_lines.checks(seen), *gate_lines.missing_lines(seen, 60), *gate_lines.opening(seen), *gate_lines.touches(seen),
        *search_lines.passage(hit, EVERYTHING, EVERYTHING, 60), *lab_lines.about(process, [EVERYTHING]),
    ]  # fmt: skip
    assert all(is_harmless(fit(cell.text, 50)) and is_harmless(fit(cell.lead, 2)) for row in rows for cell in row.cells)
    assert all(is_harmless(safe(text)) for line in lines for text, _ in line)
