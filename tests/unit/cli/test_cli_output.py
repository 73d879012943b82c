"""Tables: aligned, safe, and no wider than the terminal where that can be had."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.cli.output import (
    NARROWEST,
    fit,
    print_fields,
    print_json,
    print_json_line,
    print_note,
    print_table,
    print_text,
)


def test_foreign_text_is_made_safe_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [("\x1b]52;c;eA==\x07", "x" * 100), ("line\nbreak", None)], widest=20)
    out = capsys.readouterr().out
    assert not set("\x1b\x07") & set(out)
    assert len(out.splitlines()) == 3
    assert "line break" in out
    assert "…" in out


HOSTILE = "\x1b]52;c;eA==\x07 \x9b31m \x7f \u202egpj \u200b\u2060\u00ad\ufe0f\U000e0041\u2028 \udcff"


def test_every_way_to_print_shows_what_would_be_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(HOSTILE)
    print_note(HOSTILE)
    print_fields({"field": HOSTILE, "nested": {"deep": HOSTILE}})
    print_table(("column",), [(HOSTILE,)], widest=200)
    printed = "".join(capsys.readouterr())
    assert not {unicodedata.category(each) for each in printed if each != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Mn"}
    assert printed.count("<U+E0041>") == printed.count("gpj") == 5


def test_json_is_ascii_without_controls_and_keeps_every_character(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": HOSTILE})
    print_json_line({"text": HOSTILE})
    printed = capsys.readouterr().out
    assert all(" " <= each <= "~" for each in printed if each != "\n")
    assert json.loads(printed.splitlines()[-1]) == {"text": HOSTILE}


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.integers(20, 250))
def test_columns_fit_or_are_as_narrow_as_they_may_be(widths: list[int], room: int) -> None:
    fitted = fit(widths, room)
    assert all(new <= old for new, old in zip(fitted, widths, strict=True))
    assert all(new == old or new >= NARROWEST for new, old in zip(fitted, widths, strict=True))
    assert sum(fitted) + 2 * (len(fitted) - 1) <= room or max(fitted) <= NARROWEST
