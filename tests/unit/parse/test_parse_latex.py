"""LaTeX as converters write it, read as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.stages.parse.latex import latex_text, with_formulas


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"9 5 \%", "95 %"),
        (r"1 0 ^ { 6 }", "10^6"),
        (r"5 \times 1 0 ^ { - 8 }", "5 × 10^-8"),
        (r"\mathrm { C O } _ { 2 }", "CO2"),
        (r"\mathrm { C a } ^ { 2 + }", "Ca2+"),
        (r"\mathrm { T N F } { - } \alpha", "TNF-α"),
        (r"p < 0 . 0 5", "p < 0.05"),
        (r"9 0 { - } 9 7 \%", "90-97 %"),
        (r"5 ~ \mu \mathrm { g / k g }", "5 μg/kg"),
        (r"\mathrm { k g } / \mathrm { m } ^ { 2 }", "kg/m^2"),
        (r"3 7 ^ { \circ } \mathrm { C }", "37°C"),
        (r"4 4 . 6 \pm 1 0 . 0", "44.6 ± 10.0"),
        (r"\frac { a } { b + c }", "a/(b+c)"),
        (r"\text { n o t } x", "notx"),
        (r"\text{mean age} = 5", "mean age = 5"),
        (r"\geq 1 8", "≥ 18"),
        (r"\chi ^ { 2 } = 3 . 8 4", "χ^2 = 3.84"),
        (r"\hat { \beta }", "β̂"),
        (r"\mathrm { e G F R } = 1 4 1", "eGFR = 141"),
    ],
)
def test_a_formula_is_a_line_of_text(source: str, expected: str) -> None:
    assert latex_text(source) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\[x^2\] and \(10^{6}\) cells", "x^2 and 10^6 cells"),
        (r"with F, $^{99m}$Tc and $5 0 \%$", "with F, 99mTc and 50 %"),
        (r"(CI $9 0 { - } 9 7 \%$ ), with", "(CI 90-97 %), with"),
        (r"and $\beta$ -blockers; $p < 0 . 0 5$ . Doses", "and β-blockers; p < 0.05. Doses"),
        (r"reduces stroke $^ { 1 , 2 }$ and", "reduces stroke [1,2] and"),
        (r"reduces stroke$^{12}$ in", "reduces stroke [12] in"),
        (r"with $^ { 1 8 } \mathrm { F }$ -FDG", "with 18F-FDG"),
        (r"cost $5 and $10 each", "cost $5 and $10 each"),
        (r"given \(1 0 ^ { 6 }\) cells", "given 10^6 cells"),
    ],
)
def test_formulas_within_text(text: str, expected: str) -> None:
    assert with_formulas(text) == expected


@given(st.text(alphabet="\\^_{}$ab1 %~", max_size=60))
def test_any_source_has_an_end(source: str) -> None:
    assert isinstance(with_formulas(f"${source}$"), str)
    assert isinstance(latex_text("{" * 50 + source), str)
