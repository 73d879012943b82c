"""Words that a PDF cuts, accents that it sets apart, and what stands in its margins."""

from typing import Any

import pytest

from medkg_lab.stages.parse.pdf_ir.accents import compose
from medkg_lab.stages.parse.pdf_ir.hyphens import Hyphens
from medkg_lab.stages.parse.pdf_ir.margins import marginal
from medkg_lab.stages.parse.pdf_ir.middle import ACCENTS, LINE_ENDS, NOTES, PdfSource, read_middle
from medkg_lab.stages.parse.pdf_ir.text import BREAK, inline


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("double", "blind", "double-blind"),
        ("placebo", "controlled", "placebo-controlled"),
        ("well", "known", "well-known"),
        ("beta", "blockers", "beta-blockers"),
        ("beta", "methasone", "betamethasone"),
        ("T", "cell", "T-cell"),
        ("IL", "6", "IL-6"),
        ("5", "fluorouracil", "5-fluorouracil"),
        ("follow", "up", "follow-up"),
        ("vincristine", "induced", "vincristine-induced"),
        ("treat", "ment", "treatment"),
        ("hypo", "thyroidism", "hypothyroidism"),
        ("radio", "graphic", "radiographic"),
        ("acetyl", "salicylic", "acetylsalicylic"),
        ("two", "fold", "twofold"),
    ],
)
def test_a_hyphen_at_a_line_end_stays_in_a_compound_and_goes_from_a_word(
    first: str, second: str, expected: str
) -> None:
    hyphens = Hyphens([])
    assert hyphens.join(f"the {first}{BREAK}{second} of") == f"the {expected} of"
    assert hyphens.join(f"the {first}- {second} of") == f"the {expected} of"
    joined = Hyphens([f"the {first}{second} of"], [(first, second)])
    assert joined.join(f"the {first}{second} of") == f"the {expected} of"


def test_the_documents_own_spelling_decides_first() -> None:
    assert Hyphens(["a doubleblind trial"]).join(f"double{BREAK}blind") == "doubleblind"
    assert Hyphens(["pre-treatment of"]).join(f"pre{BREAK}treatment") == "pre-treatment"
    assert Hyphens(["a pre-diction"], [("pre", "diction")]).join("a pre-diction") == "a prediction"
    assert Hyphens(["post-operative"], [("post", "operative")]).join("post-operative") == "post-operative"


def test_hyphens_that_wait_for_another_word_stay() -> None:
    text = "pre- and postoperative, 2- to 3-fold, 5 - 7"
    assert Hyphens([text]).join(text) == text


def test_accents_go_back_to_their_letters_and_strays_go() -> None:
    accents = [("Charite", "Charité"), ("Novotny", "Novotný"), ("Rodrıguez", "Rodríguez")]
    text = "Charite Berlin, ´ 10117; Novotn ´ y and Rodr´ıguez; the 5´ end"
    assert compose(text, accents) == "Charité Berlin, 10117; Novotný and Rodríguez; the 5´ end"


def page(number: int, *blocks: tuple[str, list[float]]) -> dict[str, Any]:
    """A page of blocks of text, each with its box."""
    return {"page_idx": number, "blocks": [{"type": "text", "content": text, "bbox": box} for text, box in blocks]}


BODY = [0.2, 0.2, 0.8, 0.8]


def test_repeated_texts_at_the_edge_of_pages_are_headers() -> None:
    pages = [page(n, (f"A. Roe et al., page {n}", [0.2, 0.02, 0.8, 0.05]), (f"Text {n}", BODY)) for n in range(3)]
    assert marginal(pages) == {(0, 0), (1, 0), (2, 0)}
    assert not marginal(pages[:2])
    assert not marginal([page(n, ("The same words", BODY)) for n in range(3)])


def test_numbers_that_count_lines_go_and_others_stay() -> None:
    lines = [(str(n), [0.05, 0.1 + n / 50, 0.08, 0.11 + n / 50]) for n in range(1, 9)]
    assert marginal([page(0, ("Text", BODY), *lines)]) == {(0, n) for n in range(1, 9)}
    values = [(str(n * n), box) for n, (_, box) in enumerate(lines)]
    assert not marginal([page(0, ("Text", BODY), *values)])


def span(text: str, *styles: str) -> dict[str, Any]:
    return {"type": "text", "content": text, "styles": list(styles)}


def test_raised_and_lowered_spans_are_scripts() -> None:
    spans = [span("2 x 10"), span("6", "superscript"), span(" cells and CO"), span("2", "subscript"), span(" in 2019")]
    assert inline([*spans, span("12", "superscript"), span(".")]) == "2 x 10^6 cells and CO2 in 2019 [12]."


def test_formulas_of_mineru_are_text() -> None:
    assert (
        inline([{"type": "text", "content": "of "}, {"type": "inline_equation", "content": "1 0 ^ { 6 }"}]) == "of 10^6"
    )
    assert inline(r"was $9 5 \%$ of") == "was 95 % of"


def test_what_the_converter_adds_is_used_and_doubts_are_warnings() -> None:
    spans = [span("doubleblind at Charite ´ over 65"), span("3", "superscript"), span(" years")]
    middle = {
        "schema": "docvortex.middle",
        "schema_version": "2.0",
        "pages": [{"page_idx": 0, "blocks": [{"type": "text", "content": spans}]}],
        "extensions": {
            LINE_ENDS: [["double", "blind"], ["broken"]],
            ACCENTS: {"1": [["Charite", "Charité"]]},
            NOTES: ["turned pages were read upright: 1"],
        },
    }
    document = read_middle(middle, PdfSource("d:1", "n", 1, frozenset(), "t", "1")).document
    assert [block.text for block in document.blocks] == ["double-blind at Charité over 65 [3] years"]
    assert document.warnings[0].startswith("1 raised numbers")
    assert document.warnings[1] == "turned pages were read upright: 1"
