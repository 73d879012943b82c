"""Foreign text: nothing of it may steer a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from medkg_lab.text import one_line, sanitize

UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u2028\u2029\u180e\u034f\u3164\ufff9\U000e0001\U000e0041\U000e007f\ufe0f\U000e0100"
"""Characters that nothing is drawn for: joiners, tags, variation selectors, soft hyphens, separators."""
anything = st.text(st.one_of(st.characters(), st.sampled_from(UNSEEN + "\x1b\x9b\u202e\u2066")))


@given(anything)
def test_nothing_is_left_that_a_terminal_obeys_or_hides(text: str) -> None:
    cleaned = sanitize(text)
    assert not [c for c in cleaned if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c not in "\t\n"]
    assert not set(cleaned) & set(UNSEEN)
    assert all(cell_len(c) for c in cleaned if unicodedata.category(c) == "Cf")
    assert sanitize(cleaned) == cleaned
    cleaned.encode()


@given(st.text(st.sampled_from("ab" + UNSEEN)), st.text(st.sampled_from("ab" + UNSEEN)))
def test_two_texts_that_differ_look_different(one: str, other: str) -> None:
    assert (sanitize(one) == sanitize(other)) == (one == other)


@pytest.mark.parametrize(
    "attack", ["\x1b]52;c;ZXZpbA==\x07", "\x1b[2J", "\x9b31m", "\x7f", "\r overwritten", "\u202etxt.exe"]
)
def test_attacks_become_visible(attack: str) -> None:
    assert not set(sanitize(attack)) & set("\x1b\x07\x9b\x7f\r\u202e")


def test_ordinary_text_is_untouched() -> None:
    assert sanitize("β-blocker ≥ 5 µg\t(n=3)\né") == "β-blocker ≥ 5 µg\t(n=3)\né"


def test_one_line_cuts() -> None:
    assert one_line("a\nb   c", 4) == "a b…"
