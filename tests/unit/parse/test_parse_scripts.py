"""Superscripts and subscripts: what a number above the line means follows from what stands before it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.stages.parse.scripts import is_doubtful, subscript, superscript, with_brackets


def line(*parts: str) -> str:
    """A line from texts and scripts: `^6` is a superscript, `_2` a subscript."""
    text = ""
    for part in parts:
        if part[:1] == "^":
            text += superscript(text, part[1:])
        elif part[:1] == "_":
            text += subscript(text, part[1:])
        else:
            text += part
    return with_brackets(text)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("2 × 10", "^6", " cells"), "2 × 10^6 cells"),
        (("p = 5 x 10", "^−8", "."), "p = 5 x 10^-8."),
        (("10", "^9", "/L"), "10^9/L"),
        (("1.73 m", "^2"), "1.73 m^2"),
        (("kg/m", "^2", "; x"), "kg/m^2; x"),
        (("mm", "^3"), "mm^3"),
        (("μg·kg", "^−1", "·d", "^−1"), "μg·kg^-1·d^-1"),
        (("χ", "^2", " = 3.84"), "χ^2 = 3.84"),
        (("R", "^2", " = 0.9"), "R^2 = 0.9"),
        (("vitamin D", "^3"), "vitamin D [3]"),
        (("CO", "_2", " and H", "_2", "O"), "CO2 and H2O"),
        (("x", "_i", "^2", ", R", "_adj", "^2", " and η", "_p", "^2"), "xi^2, Radj^2 and ηp^2"),
        (("η", "^2", "_p", " = 0.1"), "η^2_p = 0.1"),
        (("CO", "_2", "^5", " and FEV", "_1", "^3"), "CO2 [5] and FEV1 [3]"),
        (("log", "_10", "5"), "log10 5"),
        (("x1", "_2"), "x1_2"),
        (("Ca", "^2+", ", Na", "^+", ", CD4", "^+"), "Ca2+, Na+, CD4+"),
        (("SO", "_4", "^2−"), "SO4^2-"),
        (("[", "^18", "F]FDG"), "[18F]FDG"),
        (("through ", "^1", "H- and"), "through 1H- and"),
        (("stroke", "^1,2", " and"), "stroke [1,2] and"),
        (("in 2019", "^12", "."), "in 2019 [12]."),
        (("those over 65", "^3", "."), "those over 65 [3]."),
        (("PD-1", "^3"), "PD-1 [3]"),
        (("trials", "^4–7"), "trials [4–7]"),
        (("death", "^1", "^,", "^2", "."), "death [1,2]."),
        (("low.", "^5", " Likewise"), "low. [5] Likewise"),
        (("Zzmueller", "^1,*", ", Smith"), "Zzmueller [1,*], Smith"),
        (("5.1 ± 0.2", "^a"), "5.1 ± 0.2 [a]"),
        (("0.54", "^a, b"), "0.54 [a, b]"),
        (("Status", "^a"), "Status [a]"),
        (("^a", "Yield varies"), "[a] Yield varies"),
        (("^1", "Department of"), "[1] Department of"),
        (("129.7", "^∗"), "129.7∗"),
        (("the 8", "^th", " day"), "the 8th day"),
        (("p27", "^Kip1"), "p27Kip1"),
        (("BioPlex", "^®"), "BioPlex®"),
        (("10", "^n"), "10^n"),
        (("log", "_10", "10", "^3"), "log10 10^3"),
        (("e", "^−x"), "e^-x"),
        (("10", "^9", "/L", "^a"), "10^9/L [a]"),
        (("no scripts",), "no scripts"),
    ],
)
def test_a_script_becomes_what_it_means(parts: tuple[str, ...], expected: str) -> None:
    assert line(*parts) == expected


@given(st.from_regex(r"[A-Za-z ]{0,8}\d{1,4}", fullmatch=True), st.integers(0, 999))
def test_a_number_and_a_script_never_become_another_number(before: str, script: int) -> None:
    for made in (line(before, f"^{script}"), line(before, f"_{script}")):
        number = re.search(r"\d+$", before)
        assert number is not None
        assert number[0] in re.findall(r"\d+", made)


def test_a_raised_number_after_another_than_ten_is_doubtful() -> None:
    assert is_doubtful("those over 65", "3")
    assert not is_doubtful("× 10", "6")
    assert not is_doubtful("stroke", "3")
