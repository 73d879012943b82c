"""What people found who used the screen for the first time: it says nothing untrue, hides no id, and asks before it acts."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from medkg_lab.cli.completion import subcommands
from medkg_lab.cli.main import build_parser
from medkg_lab.lab.flow import StageFlow
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.orchestration.runs import visible_run_id
from medkg_lab.tui import alerts
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.modes import MODES, Mode
from medkg_lab.tui.screens.events.ring import columns
from medkg_lab.tui.screens.gate import render as gate
from medkg_lab.tui.screens.jobs import render as jobs
from medkg_lab.tui.screens.jobs.queries import run_page
from medkg_lab.tui.screens.lab.render import behind, places
from medkg_lab.tui.screens.replay import render as replay
from medkg_lab.tui.screens.search import render as search
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.line_view import Column, widths
from medkg_lab.tui.widgets.panel import fit
from tests import answers
from tests.tui.frozen import frozen
from tests.tui.screens import opened

UP = answers.lab(answers.process("ledgerd"))
PDF_GATE = answers.gate()
OWN_GATE = answers.gate(condition={"ledger_field": "reviewed", "equals": True})
ID = "clinicaltrials:NCT90000001"


def text_of(lines: "list[Line]") -> str:
    """Lines as text."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def needs(**fields: Any) -> str:
    """What needs the person, as one text."""
    return "\n".join(one.sentence for one in alerts.attention(Snapshot(at=1.0, lab=UP, **fields)))


def test_refused_records_and_gates_that_nobody_sets_need_the_person() -> None:
    assert "4 records of the work queue refused" in needs(refused=4)
    assert "1 needs you for reviewed = true" in needs(gates=(OWN_GATE,))
    assert "being read" in needs(gates=(PDF_GATE,))


def test_a_breaker_past_its_time_is_half_open() -> None:
    breaker = answers.circuit(until=time.time() - 1320)
    assert "half-open: the next call tests it" in needs(breakers=(breaker,))
    assert "open until" in needs(breakers=(replace(breaker, until=time.time() + 60),))


def test_a_lab_that_reads_pdfs_is_not_idle() -> None:
    seen = Snapshot(
        at=1.0, lab=UP, counts=answers.counts(jobs={"completed": 2, "waiting_gate": 8}), gates=(PDF_GATE,) * 8
    )
    assert "reading 8 PDFs" in "".join(text for text, _ in alerts.now(seen))


def test_a_lab_of_which_a_part_is_not_up_is_starting_and_not_idle() -> None:
    lab = answers.lab(answers.process("ledgerd"), answers.process("broker", "starting"))
    seen = Snapshot(at=1.0, lab=lab, counts=answers.counts())
    assert "starting: 1 of 2 processes are up" in "".join(text for text, _ in alerts.now(seen))


STAGES = ("ingest", "parse", "kg")


@pytest.mark.parametrize("height", [4, 20])
def test_a_stage_where_nothing_has_been_has_no_tick(height: int) -> None:
    queued = Snapshot(stages={"auto": STAGES}, totals={"auto": {"queued": 8}}, flow={"auto": {"": {"queued": 8}}})
    shown = text_of(places(queued, False, height))
    assert "✓" not in shown
    assert shown.count("○") >= len(STAGES)
    moving = Snapshot(
        stages={"auto": STAGES},
        totals={"auto": {"running": 3, "completed": 5}},
        flow={"auto": {"parse": {"running": 3}}},
        stage_flows={"auto": {"ingest": StageFlow(8, 8, 3.0), "parse": StageFlow(5, 5, 40.0), "kg": StageFlow(5, 6)}},
    )
    shown = text_of(places(moving, False, height))
    assert "◐" in shown
    if height > len(STAGES) + 1:
        assert all(each in shown for each in ("8/8", "5/8", "p95 40 ms", "about 30 s to go"))
        assert "◂ bottleneck" in next(line for line in shown.splitlines() if "parse" in line)


def test_an_unused_pipeline_says_so() -> None:
    assert "no jobs yet" in text_of(places(Snapshot(stages={"expand": ("ingest",)}), False, 20))


def test_what_moves_is_a_table_as_soon_as_there_is_room_for_one() -> None:
    moving = {"auto": {"running": 3}, "pdf": {"completed": 5}}
    seen = Snapshot(
        stages=dict.fromkeys(("auto", "pdf", "unused"), STAGES), totals=moving, flow={"auto": {"kg": {"running": 3}}}
    )
    shown = text_of(places(seen, False, 7)).splitlines()
    assert len(shown) == 7
    assert [line.split()[1] for line in shown[1:4]] == [*STAGES]
    assert "no jobs yet" in shown[-1]


@pytest.mark.parametrize(
    ("shown", "room"),
    [(jobs.LIST, 115), (jobs.LIST, 195), (columns(119), 119), (gate.WAITING, 110), (replay.STEPS, 115)],
)
def test_ids_have_their_room(shown: tuple[Column, ...], room: int) -> None:
    found = dict(zip((column.title for column in shown), widths(shown, room), strict=True))
    assert found["DOCUMENT"] >= len(ID)


def test_titles_have_more_room_than_ranks_and_a_short_id_keeps_both_ends() -> None:
    found = dict(zip((column.title for column in search.HITS), widths(search.HITS, 55), strict=True))
    assert found["TITLE"] > 2 * (found["BM25"] + found["DENSE"])
    assert found["SPARSE"] == -1
    assert fit(ID, 20, middle=True) == "clinicaltr…T90000001"
    assert {len(fit(ID, width, middle=True)) for width in range(30)} == set(range(30))


def test_a_view_that_lags_says_by_how_much_and_one_that_does_not_is_up_to_date() -> None:
    seen = Snapshot(
        at=1.0, lab=UP, counts=answers.counts(head=40), positions={"outbox": 21, "tables": 40, "knowledge": 45}
    )
    shown = {line[0][0].strip(): line[1][0].strip() for line in behind(seen)}
    assert (shown["topic"], shown["tables"], shown["search"]) == ("19 events", "up to date", "up to date")


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.word)
def test_what_the_help_names_for_the_shell_is_a_command(mode: Mode) -> None:
    known = {name: set(subcommands(inner)) for name, (inner, _) in subcommands(build_parser()).items()}
    screen: Any = mode.load()
    for twin in screen.twins.removeprefix("medkg-lab ").split(" · "):
        name, *rest = twin.split()
        assert name.startswith("--") or name in known, twin
        assert not known.get(name) or rest[0] in known[name], twin


def test_dagster_is_opened_at_the_run_of_the_job() -> None:
    class Ledger:
        def get(self, job_id: str) -> JobDetail | None:
            return answers.job(stages=[{"stage": "ingest"}], half=1, execution=2) if job_id == "known" else None

    class Lab:
        ledger = Ledger()

    assert run_page(Lab(), "known") == f"/runs/{visible_run_id('known', 1, 2)}"  # type: ignore[arg-type]
    assert run_page(Lab(), "unknown") == "/"  # type: ignore[arg-type]


def test_an_incident_that_is_being_read_is_not_a_missing_one() -> None:
    assert "Reading the incident" in text_of(replay.nothing(True))
    assert "No incident was imported" in text_of(replay.nothing(False))


@pytest.mark.asyncio
async def test_the_demo_asks_the_submit_dialog_says_what_it_lacks_and_typing_has_a_footer_of_its_own(
    short_tmp: Path,
) -> None:
    async with frozen(short_tmp / "lab", (120, 40)) as screen:
        await screen.sees("8 of 8 up")
        await screen.press("d")
        await screen.sees("Run the demo", "esc Cancel")
        await screen.press("escape", "i", "enter")
        await screen.sees("Submit documents", "type a path or an id first")
        await screen.press("escape", "6")
        await screen.until(lambda: isinstance(screen.app.focused, Input), "the query")
        await screen.until(lambda: "F1 help" in screen.text.splitlines()[-1], "the footer of an input")
        assert "D " not in screen.text.splitlines()[-1]
        await screen.press("escape", "2", "colon")
        await screen.type("half a com")
        screen.app.switch_mode("lab")
        await screen.sees("Processes")
        screen.app.switch_mode("jobs")
        await screen.sees("? help")
        assert "half a com" not in screen.text


@pytest.mark.asyncio
async def test_what_is_typed_right_after_a_key_goes_to_the_dialog_that_it_opens(short_tmp: Path) -> None:
    async with frozen(short_tmp / "lab", (120, 40)) as screen:
        await screen.press("5")
        await screen.sees("Not ready: page 3 is missing")
        await screen.press("o", *"dq1x2")
        assert screen.app.screen.query_one(Input).value == "dq1x2"


@pytest.mark.asyncio
async def test_the_log_of_a_job_is_its_own_lines(short_tmp: Path) -> None:
    async with frozen(short_tmp / "lab", (120, 40)) as screen:
        await screen.press("2")
        await screen.sees("Timeline", "Lineage")
        job = screen.app.mode.subject()
        assert job is not None
        await screen.press("l")
        await screen.sees(f"Logs · job {job.id[:8]}")
        lines = screen.app.mode._shown  # type: ignore[attr-defined]
        assert all(job.id in line.text for line in lines)
        assert lines or "No process has written of" in screen.text


@pytest.mark.asyncio
async def test_titles_tabs_and_what_needs_the_person_are_clicked(short_tmp: Path) -> None:
    async with frozen(short_tmp / "lab", (120, 40)) as screen:
        await screen.sees("3 jobs failed")
        row = next(at for at, line in enumerate(screen.text.splitlines()) if "3 jobs failed" in line)
        await screen.pilot.click(offset=(10, row))
        await screen.until(lambda: screen.app.mode.word == "jobs", "the failed jobs")
        await screen.sees("Timeline", "Lineage", "bad_input at pdf_gate")
        await screen.pilot.pause()
        await screen.pilot.click("#tabs", offset=(2 + len(" Timeline  Events  In and out ") + 2, 0))
        await screen.until(lambda: screen.app.mode.query_one("JobPanel").tab == "Error", "the tab")  # type: ignore[attr-defined]
        lines = screen.text.splitlines()
        at = next(at for at, line in enumerate(lines) if "DOCUMENT" in line)
        await screen.pilot.click(offset=(lines[at].index("STATE") + 1, at))
        await screen.sees("state ↓")


@pytest.mark.asyncio
async def test_a_lab_that_is_not_there_says_so_in_the_help_too(short_tmp: Path) -> None:
    async with opened(short_tmp) as screen:
        await screen.press("question_mark")
        await screen.sees("Help · Lab", "Same from the shell", "medkg-lab status --why")
        await screen.press("escape")
        await screen.misses("Help · Lab")
