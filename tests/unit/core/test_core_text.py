"""Foreign text: nothing of it may steer a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.text import one_line, sanitize


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    cleaned = sanitize(text)
    assert not [c for c in cleaned if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    assert sanitize(cleaned) == cleaned
    cleaned.encode()


@pytest.mark.parametrize(
    "attack", ["\x1b]52;c;ZXZpbA==\x07", "\x1b[2J", "\x9b31m", "\x7f", "\r overwritten", "\u202etxt.exe"]
)
def test_attacks_become_visible(attack: str) -> None:
    assert not set(sanitize(attack)) & set("\x1b\x07\x9b\x7f\r\u202e")


def test_ordinary_text_is_untouched() -> None:
    assert sanitize("β-blocker ≥ 5 µg\t(n=3)\né") == "β-blocker ≥ 5 µg\t(n=3)\né"


def test_one_line_cuts() -> None:
    assert one_line("a\nb   c", 4) == "a b…"
