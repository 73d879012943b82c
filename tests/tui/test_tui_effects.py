"""What an edited pipeline would change: the last documents under both versions, side by side."""

from pathlib import Path

import pytest

from medkg_lab.lab import definitions
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.preview import Previewed, Side
from medkg_lab.tui.screens.pipelines.effects import rows_of, side_by_side
from medkg_lab.tui.screens.pipelines.screen import PipelinesScreen
from tests.labs import TestLab
from tests.tui.screens import opened

SHORTER = "type: ChunkStage\n  implementation: haystack.splitter\n  with: {split_length: 4}"


def edited(lab: TestLab) -> str:
    """The pipeline `auto` with shorter passages."""
    text = definitions.written_out(Lab.at(lab.home).catalog.topology("auto"))
    assert "type: ChunkStage" in text
    return text.replace("type: ChunkStage", SHORTER)


def test_what_differs_stands_first_and_is_seen_side_by_side() -> None:
    same = Previewed("a", 1, 2, Side(("x",)), Side(("x",)))
    other = Previewed("b", 2, 2, Side(("one two", "kept")), Side(("one", "two", "kept")))
    assert [row.key for row in rows_of([same, other])] == ["b", "a"]
    text = ["".join(part for part, _ in line) for line in side_by_side(other, 43)]
    assert text[0].split("│") == ["in use               ", " draft"]
    assert any(line.startswith("one two ") and line.rstrip().endswith("│ one") for line in text)
    assert any(line.startswith("kept ") and line.rstrip().endswith("│ kept") for line in text)
    assert "found: 0 → 0 · the same" in text
    assert not any(line.startswith("made by") for line in text)
    own = Previewed("c", 1, 1, Side(made=("one", "two")), Side(made=("one",)))
    assert "made by stages of plug-ins: 2 → 1" in ["".join(part for part, _ in line) for line in side_by_side(own, 43)]


def test_the_command_says_which_documents_would_differ(demo_lab: TestLab, tmp_path: Path) -> None:
    changed = tmp_path / "auto.yaml"
    changed.write_text(edited(demo_lab))
    done = demo_lab.run("pipeline", "preview", "auto", str(changed), "--last", "3")
    assert done.code == 0, done.err
    assert "3 of 3 documents would differ" in done.out
    changed.write_text(definitions.written_out(Lab.at(demo_lab.home).catalog.topology("auto")))
    assert (
        "0 of 3 documents would differ" in demo_lab.run("pipeline", "preview", "auto", str(changed), "--last", "3").out
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_draft_is_compared_in_the_background(demo_lab: TestLab, size: tuple[int, int]) -> None:
    text = edited(demo_lab)
    async with opened(demo_lab.home, size) as screen:
        await screen.press("colon")
        await screen.type("pipelines auto")
        await screen.press("enter")
        mode = screen.app.mode
        assert isinstance(mode, PipelinesScreen)
        await screen.until(lambda: mode.draft is not None and mode.draft.base.own is not None, "the pipeline")
        assert not mode.can("effects"), "there is nothing to compare yet"
        mode.editor.text = text
        await screen.until(lambda: mode.can("effects"), "the draft being checked")
        await screen.press("C")
        await screen.sees("What the draft would change", "would be chunked or extracted differently.", "≠", seconds=90)
        await screen.sees("in use", "draft", "chunks: ")
        await screen.press("escape")
        await screen.misses("What the draft would change")
    definitions.save_draft(Lab.at(demo_lab.home), definitions.Definition(definitions.Kind.PIPELINE, "auto"), None)
