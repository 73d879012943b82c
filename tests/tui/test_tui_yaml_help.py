"""Completion and mending of YAML, for the places a person types at and for any text."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.topology import bundled
from medkg_lab.tui.screens.pipelines.yaml_help import Words, fixed, line_of_stage, offer, stage_at, stage_names
from medkg_lab.tui.widgets.editor import visible

WORDS = Words(
    types={"ParseStage": "parses", "ChunkStage": "cuts", "Gate": "holds"},
    policies={"default": "", "polite-api": "a second between calls", "gpu-bound": "slow"},
    implementations={"parse.auto": "by type", "haystack.splitter": "by words"},
    types_of={"parse.auto": "ParseStage", "haystack.splitter": "ChunkStage"},
    shared={"post-text": ""},
    fields={"pdf_ir_ready": ""},
)
TEXT = """version: "1.0"
name: auto
stages:
  - name: ingest
    type: IngestStage
  - name: chunk
    type: ChunkStage
    policy:
    implementation:
    depends_on: [
  - name: gate
    type: Gate
    depends_on:
      -
    condition: {ledger_field:
    resume_stage:
  - use:
""".splitlines()


def offered(row: int, typed: str, asked: bool = False) -> list[str]:
    """What is offered behind `typed`, put at the end of a line."""
    lines = [*TEXT]
    lines[row] += typed
    found = offer(lines, row, len(lines[row]), WORDS, asked)
    return [name for name, _ in found.choices] if found is not None else []


def test_each_place_is_offered_its_own_names() -> None:
    assert offered(7, " ") == ["default", "polite-api", "gpu-bound"]
    assert offered(7, " po") == ["polite-api"]
    assert offered(7, " bound") == ["gpu-bound"]
    assert offered(8, " ") == ["haystack.splitter"]
    assert offered(9, "") == ["ingest", "gate"]
    assert offered(9, "ingest, ga") == ["gate"]
    assert offered(9, "ingest] ") == []
    assert offered(13, " in") == ["ingest"]
    assert offered(14, " p") == ["pdf_ir_ready"]
    assert offered(15, " c") == ["chunk"]
    assert offered(16, " ") == ["post-text"]
    assert offered(6, "", asked=True) == []


def test_keys_are_offered_when_asked_for() -> None:
    lines = [*TEXT, "    po"]
    assert offer(lines, len(lines) - 1, 6, WORDS, asked=False) is None
    found = offer(lines, len(lines) - 1, 6, WORDS, asked=True)
    assert found is not None
    assert (found.start, found.end, found.choices[0][0]) == (4, 6, "policy: ")
    head = offer(["app"], 0, 3, WORDS, asked=True)
    assert head is not None
    assert [name for name, _ in head.choices] == ["applicable_sources: "]


def test_stages_and_lines_find_each_other() -> None:
    assert list(stage_names(TEXT)) == ["ingest", "chunk", "gate"]
    assert line_of_stage(TEXT, "chunk") == 5
    assert line_of_stage(TEXT, "nobody") is None
    assert [stage_at(TEXT, row) for row in (0, 3, 4, 9, 13)] == [None, "ingest", "ingest", "chunk", "gate"]
    lines = (bundled.folder() / "pipelines" / "pdf-two-phase.yaml").read_text().splitlines()
    assert list(stage_names(lines)) == ["ingest", "download_pdf", "pdf_gate"]


def test_a_suggestion_mends_its_line_and_only_a_name_does() -> None:
    message, suggestion = "there is no policy called 'gpu-bond'", "did you mean 'gpu-bound'?"
    assert fixed("    policy: gpu-bond", message, suggestion) == "    policy: gpu-bound"
    assert fixed("    policy: other", message, suggestion) is None
    assert fixed("    policy: gpu-bond", message, "known: a, b") is None
    assert fixed("", "", "") is None


@given(text=st.text(max_size=200), row=st.integers(0, 10), column=st.integers(0, 60), asked=st.booleans())
def test_any_text_is_completed_or_not_and_never_raises(text: str, row: int, column: int, asked: bool) -> None:
    lines = text.split("\n")
    row = min(row, len(lines) - 1)
    column = min(column, len(lines[row]))
    found = offer(lines, row, column, WORDS, asked)
    if found is not None:
        assert 0 <= found.start <= found.end == column
        assert found.choices
    stage_at(lines, row)


@given(text=st.text())
def test_a_line_is_shown_in_as_many_characters_and_none_that_acts(text: str) -> None:
    shown = visible(text)
    assert len(shown) == len(text)
    assert visible(shown) == shown
    assert not any((ord(each) < 32 and each != "\t" and each != "\n") or 0x7F <= ord(each) <= 0x9F for each in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
