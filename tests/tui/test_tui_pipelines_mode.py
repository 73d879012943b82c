"""The Pipelines mode: the graph, the text checked as it is typed, saved versions, going back, and someone else's changes."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from medkg_lab.lab import definitions
from medkg_lab.lab.definitions import Definition, Kind
from medkg_lab.lab.facade import Lab
from medkg_lab.topology import bundled
from medkg_lab.tui.screens.pipelines.editor import YamlEditor
from medkg_lab.tui.screens.pipelines.screen import PipelinesScreen
from medkg_lab.tui.widgets.dag import Dag
from tests.labs import TestLab
from tests.tui.screens import SIZES, Screen, opened

pytestmark = pytest.mark.asyncio

AUTO = Definition(Kind.PIPELINE, "auto")
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@asynccontextmanager
async def pipelines(home: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Screen]:
    """The screen, on its Pipelines."""
    async with opened(home, size) as screen:
        await screen.press("4")
        await screen.until(lambda: screen.app.mode.query_one(Dag).scene is not None, "the graph")
        yield screen


def editor(screen: Screen) -> YamlEditor:
    """The text."""
    return screen.app.mode.query_one(YamlEditor)


def pipelines_mode(screen: Screen) -> PipelinesScreen:
    """The mode."""
    assert isinstance(screen.app.mode, PipelinesScreen)
    return screen.app.mode


def put(screen: Screen, text: str) -> None:
    """Put a text into the editor, as pasting does."""
    edited = editor(screen)
    edited.replace(text, edited.document.start, edited.document.end)


def broken() -> str:
    """The pipeline with a gate put in, and with a policy's name misspelt."""
    text = (bundled.folder() / "pipelines" / "auto.yaml").read_text()
    gate = """  - name: review
    type: Gate
    depends_on: [parse]
    condition: {ledger_field: reviewed, equals: true}
    resume_stage: chunk

"""
    use = "  - use: post-text\n    depends_on: [parse]\n"
    assert use in text
    return text.replace("policy: local", "policy: gpu-bond").replace(use, gate + use.replace("[parse]", "[review]"))


@pytest.mark.parametrize("size", SIZES)
async def test_the_graph_is_drawn_at_every_size(short_tmp: Path, size: tuple[int, int]) -> None:
    async with pipelines(short_tmp / "home", size) as screen:
        await screen.sees("auto", "ingest", "parse", "chunk", "e edit", "? help")
        assert ("applicable_sources" in screen.text) is (size[0] > 80)
        assert all(len(line) == size[0] for line in screen.text.splitlines())
        await screen.press("e")
        await screen.sees("type: IngestStage", "valid; ^s saves it")


async def test_the_cursor_moves_along_edges_and_the_text_follows(short_tmp: Path) -> None:
    async with pipelines(short_tmp / "home", (120, 50)) as screen:
        await screen.press("down")
        await screen.until(lambda: screen.app.mode.query_one(Dag).chosen == "parse", "the next stage")
        await screen.sees("ParseStage", "policy local")
        row = editor(screen).text.splitlines().index("  - name: parse")
        await screen.until(lambda: editor(screen).cursor_location[0] == row, "the text following")
        await screen.press("right_square_bracket")
        await screen.sees("expand.yaml")
        await screen.press("right_square_bracket")
        await screen.sees("pdf-two-phase.yaml", "╔═ pdf_gate", "┏━ ingest")
        await screen.press("e", "up", "up", "escape")
        assert isinstance(screen.app.focused, Dag)


async def test_a_stage_is_added_broken_mended_and_saved(short_tmp: Path) -> None:
    home = short_tmp / "home"
    lab = Lab.at(home)
    async with pipelines(home) as screen:
        await screen.press("e")
        await screen.press("ctrl+end", "enter")
        await screen.type("- name: ")
        await screen.press("backspace", "space")
        line = broken().splitlines().index("    policy: gpu-bond") + 1
        put(screen, broken())
        await screen.sees("1 error", f"line {line}", "gpu-bond", "did you mean", "✗", "fixes it")
        await screen.press("ctrl+s")
        await screen.sees("Not saved", f"line {line}")
        assert not (home / "config" / "pipelines" / "auto.yaml").exists()
        await screen.press("escape", "n")
        await screen.until(lambda: editor(screen).cursor_location[0] == line - 1, "the cursor at the error")
        await screen.press("tab")
        await screen.sees("valid; ^s saves it", "review", "policy: gpu-bound")
        await screen.press("escape", "D")
        await screen.sees("stage review added", "+  - name: review")
        await screen.press("escape", "ctrl+s")
        await screen.sees("Saved auto", "New jobs use it", "in use")
    used = lab.catalog.topology("auto")
    assert used.stage("review").is_gate
    assert used.stage("chunk").depends_on == ("review",)
    assert (home / "config" / "pipelines" / "auto.yaml").stat().st_mode & 0o777 == 0o600
    assert [one.current for one in definitions.history(lab, AUTO)] == [True, False]


async def test_names_are_completed(short_tmp: Path) -> None:
    async with pipelines(short_tmp / "home") as screen:
        await screen.press("e")
        edited = editor(screen)
        await screen.until(lambda: edited._words().policies, "the names")
        row = edited.text.splitlines().index("    policy: local")
        edited.move_cursor((row, len("    policy: local")))
        for _ in "local":
            await screen.press("backspace")
        await screen.press("p")
        await screen.sees("polite-api", "tab takes it")
        await screen.press("tab")
        await screen.until(lambda: edited.document.get_line(row) == "    policy: polite-api", "the completion")
        edited.move_cursor((row - 1, len(edited.document.get_line(row - 1))))
        for _ in "ParseStage":
            await screen.press("backspace")
        await screen.press("ctrl+@")
        await screen.sees("IngestStage", "takes a submission in")
        await screen.press("escape")
        await screen.misses("tab takes it")
        assert edited.has_focus


async def test_a_file_that_someone_else_changed_is_never_overwritten_unasked(short_tmp: Path) -> None:
    home = short_tmp / "home"
    lab = Lab.at(home)
    async with pipelines(home) as screen:
        original = editor(screen).text
        put(screen, original.replace("policy: local", "policy: local-io"))
        await screen.sees("draft")
        theirs = original.replace("policy: local", "policy: polite-api")
        definitions.save(lab, AUTO, theirs, None)
        await screen.sees("the file was changed")
        await screen.press("ctrl+s")
        await screen.sees("auto was changed since you opened it", "Save mine over it", "Read theirs")
        assert lab.catalog.topology("auto").stage("parse").policy == "polite-api"
        await screen.press("o")
        await screen.sees("Saved auto")
        assert lab.catalog.topology("auto").stage("parse").policy == "local-io"


async def test_an_untouched_text_follows_the_file(short_tmp: Path) -> None:
    home = short_tmp / "home"
    async with pipelines(home) as screen:
        theirs = editor(screen).text.replace("policy: local", "policy: polite-api")
        definitions.save(Lab.at(home), AUTO, theirs, None)
        await screen.until(lambda: editor(screen).text == theirs, "the text following the file")


async def test_an_old_version_is_brought_back(short_tmp: Path) -> None:
    home = short_tmp / "home"
    lab = Lab.at(home)
    start = definitions.opened(lab, AUTO)
    definitions.save(lab, AUTO, start.text.replace("policy: local", "policy: local-io"), start.digest)
    async with pipelines(home) as screen:
        await screen.sees("Versions · 2", "stage parse: policy")
        await screen.press("v")
        await screen.sees("Versions of auto", "Going back")
        await screen.press("down", "enter")
        await screen.sees("Saved auto")
        await screen.until(lambda: "policy: local-io" not in editor(screen).text, "the old text")
    assert lab.catalog.topology("auto").stage("parse").policy == "local"
    assert len(definitions.history(lab, AUTO)) == 2


async def test_a_draft_outlives_the_screen(short_tmp: Path) -> None:
    home = short_tmp / "home"
    async with pipelines(home) as screen:
        put(screen, broken())
        await screen.sees("1 error")
    async with pipelines(home) as screen:
        await screen.sees("auto.yaml · draft", "1 error", "gpu-bond")
        put(screen, definitions.opened(Lab.at(home), AUTO).text)
        await screen.sees("auto.yaml · in use", "valid")
    async with pipelines(home) as screen:
        await screen.sees("auto.yaml · in use")


async def test_a_stage_says_why_and_leads_to_its_events(short_tmp: Path) -> None:
    async with pipelines(short_tmp / "home") as screen:
        await screen.press("colon")
        await screen.type("pipelines pdf-two-phase")
        await screen.press("enter")
        await screen.sees("pdf-two-phase.yaml")
        await screen.until(lambda: screen.app.mode.query_one(Dag).chosen == "ingest", "the first stage")
        await screen.press("down", "w")
        await screen.sees("Why: download_pdf", "Nothing stands at download_pdf")
        await screen.press("escape", "y")
        await screen.sees('"type": "DownloadStage"')
        await screen.press("escape", "E")
        await screen.sees("stage download_pdf")


async def test_policies_are_edited_in_the_same_way(short_tmp: Path) -> None:
    home = short_tmp / "home"
    async with pipelines(home) as screen:
        await screen.until(lambda: pipelines_mode(screen)._known, "the list")
        await screen.press("P")
        await screen.sees("policies", "profile", "cpu")
        for _ in range(3):
            await screen.press("down")
        await screen.press("enter")
        await screen.sees("policies.yaml", "max_attempts")
        text = editor(screen).text
        put(screen, text.replace("max_attempts: 3", "max_attempts: many", 1))
        await screen.sees("1 error", "max_attempts")
        put(screen, text.replace("max_attempts: 3", "max_attempts: 4", 1))
        await screen.sees("valid; ^s saves it")
        await screen.press("ctrl+s")
        await screen.sees("Saved policies", "default changed")
        assert Lab.at(home).catalog.policies().get("default").max_attempts == 4
        await screen.press("escape")
        await screen.sees("auto.yaml")


async def test_foreign_text_in_a_file_reaches_no_terminal(short_tmp: Path) -> None:
    home = short_tmp / "home"
    folder = home / "config" / "pipelines"
    folder.mkdir(parents=True)
    hostile = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\x9b31m\u202egnp.exe\u2066 [bold]loud[/]"
    (folder / "auto.yaml").write_text(
        f'version: "1.0"\nname: "auto"\ndescription: "{hostile}"\nstages:\n  - name: a{hostile}\n'
    )
    async with opened(home) as screen:
        await screen.press("4")
        await screen.sees("auto.yaml", "␛]52;c;", "error")
        assert not RAW.search(screen.text)
        await screen.press("e")
        await screen.sees("␛]52;c;")
        await screen.press("escape", "D")
        assert not RAW.search(screen.text)


async def test_a_file_of_a_hostile_name_is_shown_by_it_and_obeyed_by_nobody(short_tmp: Path) -> None:
    folder = short_tmp / "home" / "config" / "pipelines"
    folder.mkdir(parents=True)
    (folder / "a\x1b]52;c;cm0gLXJm\x07\u202e[bold]x.yaml").write_text("stages: []\n")
    async with opened(short_tmp / "home") as screen:
        await screen.press("4")
        await screen.sees("a␛]52;c;", "[bold]x", "cannot be drawn")
        assert not RAW.search(screen.text)
        await screen.press("D")
        await screen.sees("what differs")
        assert not RAW.search(screen.text)
        await screen.press("escape", "P")
        await screen.sees("policies")
        assert not RAW.search(screen.text)


async def test_a_new_pipeline_is_made_and_jobs_run_on_it(demo_lab: TestLab) -> None:
    async with pipelines(demo_lab.home, (160, 50)) as screen:
        await screen.sees("jobs", "Versions")
        await screen.press("i")
        await screen.sees("New pipeline")
        await screen.type("case-reports")
        await screen.press("enter")
        await screen.sees("case-reports.yaml · new", "valid; ^s saves it")
        await screen.press("ctrl+s")
        await screen.sees("Saved case-reports")
        paper = min((bundled.folder() / "demo" / "articles").iterdir())
        demo_lab.ok("submit", str(paper), "--pipeline", "case-reports")
        version = definitions.version_of(Lab.at(demo_lab.home).catalog.topology("case-reports"))
        ledger = Lab.at(demo_lab.home).ledger
        await screen.until(lambda: ledger.jobs(pipeline="case-reports", limit=1), "the job")
        assert ledger.jobs(pipeline="case-reports", limit=1)[0].pipeline_version == version
        await screen.sees("case-reports · 1 job", "✓ done", seconds=60)
        await screen.press("escape", "enter")
        await screen.sees("pipeline:case-reports stage:ingest")
