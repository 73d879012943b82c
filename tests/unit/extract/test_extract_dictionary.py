"""Finding terms: whole words, longest first, at the place where they stand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.stages.extract.abbreviations import find_abbreviations, long_form
from medkg_lab.stages.extract.dictionary import Dictionary, Match
from medkg_lab.stages.extract.folding import fold, is_symbol, normalise, term_id
from medkg_lab.stages.extract.vocabulary import bundled, bundled_concepts, read_concepts

TERMS = Dictionary(
    [
        ("kidney disease", "k"),
        ("chronic kidney disease", "ckd"),
        ("type 2 diabetes", "t2"),
        ("diabetes", "d"),
        ("MS", "ms"),
        ("statin", "s"),
        ("Crohn's disease", "c"),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chronic kidney disease is common", [(0, 22, "ckd")]),
        ("TYPE-2 DIABETES and diabetes.", [(0, 15, "t2"), (20, 28, "d")]),
        ("prediabetes, diabetess", []),
        ("statins help; Crohn’s disease", [(0, 7, "s"), (14, 29, "c")]),
        ("MS was excluded, 5 ms later, Ms Jones", [(0, 2, "ms")]),
        ("", []),
    ],
)
def test_matches(text: str, expected: list[tuple[int, int, str]]) -> None:
    assert TERMS.find(text) == [Match(*match) for match in expected]


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("Protein S", "low protein S and free protein", ["protein S"]),
        ("Protein S", "protein , protein-bound, protein\nC", []),
        ("Complement C1s", "complement C1 and complement C1s", ["complement C1s"]),
        ("statins", "a statin, statins", ["statin", "statins"]),
        ("5-HT3 antagonists", "5-HT3 antagonist", ["5-HT3 antagonist"]),
    ],
)
def test_a_letter_of_a_name_is_not_a_plural(term: str, text: str, expected: list[str]) -> None:
    assert [text[match.start : match.end] for match in Dictionary([(term, "x")]).find(text)] == expected


def test_an_empty_dictionary_finds_nothing() -> None:
    assert Dictionary([]).find("anything") == []
    assert Dictionary([("", "x"), ("a", "y")]).find("a") == []


@given(before=st.text(max_size=20), term=st.sampled_from(["type 2 diabetes", "statin"]), after=st.text(max_size=20))
def test_offsets_point_at_the_term_whatever_stands_around_it(before: str, term: str, after: str) -> None:
    text = f"{before} {term} {after}"
    wanted = (len(before) + 1, len(before) + 1 + len(term))
    matches = TERMS.find(text)
    assert wanted in [(match.start, match.end) for match in matches]
    assert all(a.end <= b.start for a, b in pairwise(matches))


@given(text=st.text())
def test_folding_keeps_the_length(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("term", "expected"), [("MS", True), ("HbA1c", True), ("HFpEF", True), ("Asthma", False), ("IgA X", False)]
)
def test_symbols(term: str, expected: bool) -> None:
    assert is_symbol(term) is expected


def test_long_terms_get_ids_of_bounded_length_that_differ() -> None:
    first, second = term_id("word " * 60 + "one"), term_id("word " * 60 + "two")
    assert first != second
    assert len(first) < 150
    assert term_id("Type-2  Diabetes") == "term:type 2 diabetes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in chronic kidney disease (CKD) and", {"CKD": "chronic kidney disease"}),
        (
            "Heart failure with preserved ejection fraction (HFpEF)",
            {"HFpEF": "Heart failure with preserved ejection fraction"},
        ),
        ("estimated glomerular filtration rate (eGFR; mL/min)", {"eGFR": "estimated glomerular filtration rate"}),
        ("nothing here (see Table 2) or (n = 5) or (A)", {}),
        ("sodium-glucose cotransporter 2 (SGLT2) inhibitors", {"SGLT2": "sodium-glucose cotransporter 2"}),
        ("we did it (Smith) again", {}),
        ("unrelated words (XYZ)", {}),
    ],
)
def test_abbreviations(text: str, expected: dict[str, str]) -> None:
    assert find_abbreviations([text]) == expected


def test_two_definitions_define_nothing() -> None:
    assert find_abbreviations(["mass spectrometry (MS)", "multiple sclerosis (MS)"]) == {"MS": ""}
    assert find_abbreviations(["tumor necrosis factor (TNF)", "tumour necrosis factors (TNF)"]) == {
        "TNF": "tumor necrosis factor"
    }


@given(short=st.text(min_size=2, max_size=10), before=st.text(max_size=80))
def test_a_long_form_is_the_end_of_the_text_before(short: str, before: str) -> None:
    found = long_form(short, before)
    assert found is None or " ".join(before.split()).endswith(found)


def test_the_bundled_vocabulary_is_consistent() -> None:
    concepts = bundled_concepts()
    assert len(concepts) > 400
    ids = [concept.node_id for concept in concepts]
    assert len(ids) == len(set(ids))
    kinds = {"chemical", "comparator", "disease", "drug", "finding", "method", "procedure", "symptom"}
    assert {concept.kind for concept in concepts} == kinds
    claimed: dict[str, str] = {}
    for concept in concepts:
        for term in concept.terms:
            assert claimed.setdefault(normalise(term), concept.node_id) == concept.node_id, term
    assert bundled().by_term["heart attack"].node_id == "mesh:D009203"


def test_vocabulary_lines_are_read_by_column() -> None:
    text = "# comment\nD003924\tdisease\tDiabetes Mellitus, Type 2\ttype 2 diabetes; T2D\n\tdrug\tApixaban\t\n"
    first, second = read_concepts(text)
    assert (first.node_id, first.terms) == ("mesh:D003924", ("Diabetes Mellitus, Type 2", "type 2 diabetes", "T2D"))
    assert (second.node_id, second.terms) == ("term:apixaban", ("Apixaban",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Adults with myotonic dystrophy (DM) took part.", {"DM": "myotonic dystrophy"}),
        ("the polyposis of the colon (CPO)", {}),
        ("a study of type 2 (2T)", {}),
        ("dystrophy (DM)", {}),
    ],
)
def test_initials_may_stand_in_another_order(text: str, expected: dict[str, str]) -> None:
    assert find_abbreviations([text]) == expected
