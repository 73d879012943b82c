"""Tables: aligned, safe, and no wider than the terminal where that can be had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.cli.output import NARROWEST, fit, print_table


def test_foreign_text_is_made_safe_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [("\x1b]52;c;eA==\x07", "x" * 100), ("line\nbreak", None)], widest=20)
    out = capsys.readouterr().out
    assert not set("\x1b\x07") & set(out)
    assert len(out.splitlines()) == 3
    assert "line break" in out
    assert "…" in out


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.integers(20, 250))
def test_columns_fit_or_are_as_narrow_as_they_may_be(widths: list[int], room: int) -> None:
    fitted = fit(widths, room)
    assert all(new <= old for new, old in zip(fitted, widths, strict=True))
    assert all(new == old or new >= NARROWEST for new, old in zip(fitted, widths, strict=True))
    assert sum(fitted) + 2 * (len(fitted) - 1) <= room or max(fitted) <= NARROWEST
