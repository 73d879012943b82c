"""The SQL mode on a real lab: rows, errors in the screen, history that is its owner's alone, rows as a file."""

import csv
import json
import stat
from pathlib import Path

import pytest

from medkg_lab.lab.sql import History
from medkg_lab.ledger.answers import Selected
from medkg_lab.tui.screens.sql import render
from medkg_lab.tui.widgets.table import Table
from tests.labs import TestLab
from tests.tui.screens import SIZES, Screen, opened


def test_columns_are_as_wide_as_their_values_and_numbers_stand_at_the_right() -> None:
    answer = Selected(("state", "n"), [["completed", 12], [None, 1234]], False)
    assert [(one.width, one.right) for one in render.columns(answer)] == [(9, False), (4, True)]
    assert [cell.text for cell in render.rows(answer, 1)[1].cells] == ["1234"]
    assert render.rows(answer, 0)[1].cells[0].text == "NULL"
    assert render.shown([1, "ä"]) == '[1, "ä"]'


def test_history_moves_what_is_asked_again_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    history = History(path)
    for statement in ("a", "b", "a"):
        history.add(statement)
    assert History(path).statements == ["b", "a"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"[", b"[[[[" * 9000, b"{}", b"\xff", b"[1, null]"])
def test_a_history_that_cannot_be_read_is_empty(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(damage)
    assert History(path).statements == []


async def run(screen: Screen, statement: str) -> None:
    """Type a statement in place of the one that is there, and run it."""
    await screen.press("0")
    await screen.sees("Statement")
    if screen.app.mode.query_one(Table).has_focus:
        await screen.press("slash")
    await screen.press("f7", "delete")
    await screen.type(statement)
    await screen.press("ctrl+r")


def told(screen: Screen, words: str) -> bool:
    """Whether a toast has said so."""
    return any(words in text for _, text in screen.app.session.told)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_a_statement_shows_its_rows(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await run(screen, "SELECT state, count(*) AS many FROM job GROUP BY state ORDER BY many DESC")
        await screen.sees("Rows · ", "many", "completed", "failed")
        await screen.press("enter")
        await screen.sees('"state": "completed"')


@pytest.mark.asyncio
async def test_errors_are_told_in_the_screen_and_the_statement_stays(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await run(screen, "SELECT nothing FROM job")
        await screen.sees("Not run", "The query failed", "nothing")
        await run(screen, "DELETE FROM job")
        await screen.sees("The query was refused")
        await run(screen, "SELECT 7 * 6 AS answer;")
        await screen.sees("answer", "42")
        await screen.misses("Not run")


@pytest.mark.asyncio
async def test_earlier_statements_come_back(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await run(screen, "SELECT 1 AS first_one")
        await screen.sees("first_one", "1 row")
        await run(screen, "SELECT 2 AS second_one")
        await screen.sees("1 row · SELECT 2 AS second_one")
        await screen.press("slash", "ctrl+home", "up", "up")
        await screen.sees("SELECT 1 AS first_one")
        await screen.press("down")
        await screen.sees("SELECT 2 AS second_one")
    async with opened(demo_lab.home) as screen:
        await screen.press("0")
        await screen.sees("SELECT 2 AS second_one")
    kept = next(demo_lab.home.rglob("sql-history.json"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_wide_rows_are_moved_over_and_a_job_is_a_job(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await run(screen, "SELECT * FROM job WHERE state = 'failed'")
        await screen.sees("job_id", "tenant_id")
        await screen.press("right")
        await screen.sees("column 2 of ")
        await screen.press("left")
        await screen.misses("column 2 of ")
        await screen.press("w")
        await screen.sees("Why: ", "It failed")


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["csv", "json"])
async def test_rows_become_a_file_that_is_its_owners_alone(
    demo_lab: TestLab, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"rows.{ending}")
    async with opened(demo_lab.home) as screen:
        await run(screen, "SELECT state, count(*) AS many FROM job GROUP BY state")
        await screen.sees("Rows · ")
        await screen.press("O")
        await screen.sees("Write the rows to a file")
        await screen.type(str(path))
        await screen.press("enter")
        await screen.until(lambda: told(screen, "written to"), "the file being written")
        await screen.press("O")
        await screen.sees("Write the rows to a file")
        await screen.type(str(path))
        await screen.press("enter")
        await screen.until(lambda: told(screen, "there is such a file already"), "the second one being refused")
    text = path.read_text()
    rows = json.loads(text) if ending == "json" else list(csv.DictReader(text.splitlines()))
    assert {row["state"] for row in rows} >= {"completed", "failed"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_who_did_what_has_a_name(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("0")
        await screen.sees("Statement")
        assert not screen.app.mode.command(["nothing of this name"])
        assert screen.app.mode.command(["audit"])
        await screen.sees("definition.registered")
        assert screen.app.mode.completions() == ["audit", "logins"]
