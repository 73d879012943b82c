"""The ring of rows and its filter, against what they say of themselves, for any rows."""

import gc
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.text import sanitize
from medkg_lab.tui.screens.events.filter import EventFilter
from medkg_lab.tui.screens.events.ring import View
from medkg_lab.tui.screens.events.rows import LOUD, STATES, Decoder, EventRow
from medkg_lab.tui.time_parsing import Place, place
from tests.told import event, spec

NOW = 1_760_000_000.0
HOSTILE = "\x1b]52;c;cm0gLXJm\x07 \x9b31m \u202egnp.exe \x00 [bold]x[/bold]"

words = st.text("abcxyz-_:", max_size=8)
rows = st.builds(
    EventRow,
    seq=st.integers(1, 10**9),
    ts=st.floats(0, 2e9),
    type=st.sampled_from(sorted(STATES)),
    stage=words,
    document=words,
    job=words,
    note=words,
)


@given(kept=st.integers(1, 20), chunks=st.lists(st.lists(rows, max_size=15), max_size=8))
def test_a_view_keeps_the_newest_under_the_number_they_came_with(kept: int, chunks: list[list[EventRow]]) -> None:
    view = View(kept)
    for chunk in chunks:
        view.extend(chunk)
    every = [row for chunk in chunks for row in chunk]
    assert view.end == len(every)
    assert len(view) == min(kept, len(every))
    for ordinal in range(-2, len(every) + 2):
        expected = every[ordinal] if max(0, len(every) - kept) <= ordinal < len(every) else None
        assert view.at(ordinal) is expected


@given(kept=st.integers(1, 20), numbers=st.lists(st.integers(0, 50), max_size=30), wanted=st.integers(0, 51))
def test_a_view_finds_the_first_row_that_is_reached(kept: int, numbers: list[int], wanted: int) -> None:
    view = View(kept)
    numbers = sorted(numbers)
    view.extend([EventRow(number, 0.0, "stage.started") for number in numbers])
    held = list(enumerate(numbers))[-kept:] if numbers else []
    expected = next((ordinal for ordinal, number in held if number >= wanted), len(numbers))
    assert view.first(lambda row: row.seq >= wanted) == expected


@given(text=st.text(), listed=st.lists(rows, max_size=10))
def test_any_text_is_a_filter_and_never_hides_a_remark(text: str, listed: Sequence[EventRow]) -> None:
    wanted = EventFilter.parse(text)
    remark = EventRow(0, NOW, "ledger.gone")
    assert wanted.fits(remark)
    for row in listed:
        assert wanted.fits(row) in (True, False)


@given(row=rows, field=st.sampled_from(["stage", "job", "doc"]), text=st.text("abcxyz", min_size=1, max_size=4))
def test_a_term_looks_at_its_field_alone_and_minus_turns_it_round(row: EventRow, field: str, text: str) -> None:
    value = {"stage": row.stage, "job": row.job, "doc": row.document}[field]
    assert EventFilter.parse(f"{field}:{text}").fits(row) is (text in value)
    assert EventFilter.parse(f"-{field}:{text.upper()}").fits(row) is (text not in value)
    anywhere = any(text in each for each in (row.stage, row.document, row.job, row.note, row.type, row.state.word))
    assert EventFilter.parse(text).fits(row) is anywhere or " " in text


@given(row=rows, one=words, other=words)
def test_more_terms_leave_less(row: EventRow, one: str, other: str) -> None:
    if EventFilter.parse(f"{one} {other}").fits(row):
        assert EventFilter.parse(one).fits(row)
        assert EventFilter.parse(other).fits(row)


def test_what_is_asked_of_a_field_is_said() -> None:
    wanted = EventFilter.parse("stage:embed -kind:timeout stage:kg tocili")
    assert wanted.text_of("stage") == "embed kg"
    assert wanted.text_of("job") == "all"
    assert wanted.text_of("") == "not kind:timeout tocili"
    assert EventFilter.parse("").text_of("") == "none"


@given(text=st.text())
def test_any_text_is_a_place_or_none(text: str) -> None:
    found = place(text, NOW)
    assert found is None or (found.ts is None) != (found.seq is None)


def test_places_are_understood() -> None:
    assert place("-2m", NOW) == Place(ts=NOW - 120)
    assert place("1,204,551", NOW) == place("#1204551", NOW) == Place(seq=1_204_551)
    assert place("25:00", NOW) is None
    assert place("soon", NOW) is None
    clock = place("05:38", NOW)
    assert clock is not None
    assert clock.ts is not None
    assert NOW - 86_400 <= clock.ts <= NOW
    day = place("12 Nov 2025 17:00", NOW)
    assert day is not None
    assert day.ts == place("2025-11-12 17:00:00", NOW).ts  # type: ignore[union-attr]


def test_foreign_text_is_made_safe_where_it_is_decoded() -> None:
    decoder = Decoder()
    submitted = event("job.submitted", ["j1"], specs=[spec("j1", doc_id=HOSTILE)])
    failed = event("stage.failed", ["j1"], HOSTILE, seq=2, t0=NOW, t1=NOW, kind=HOSTILE, reason=HOSTILE * 50)
    for row in decoder.rows([submitted, failed]):
        for text in (row.document, row.stage, row.note):
            assert sanitize(text) == text
            assert "\n" not in text
        assert len(row.note) <= 240
        assert row.type == "job.submitted" or row.type in LOUD
    assert decoder.document("j1").startswith("␛]52;c;")


def test_rows_are_nothing_to_collect() -> None:
    """With 100,000 of them a run of the collector would stop the screen longer than a frame may take."""
    assert not gc.is_tracked(EventRow(1, NOW, "stage.failed", "embed", "pmc:1", "job", 2, 1.5, "note"))
