"""Analysis: how a word is written does not matter, in what is indexed and what is asked alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.analysis import atoms, fold, indexed, spelled_out, words
from medkg_lab.knowledge.units import Unit, units
from medkg_lab.knowledge.word_index import closest


@pytest.mark.parametrize(
    "ways",
    [
        ("IL6", "IL-6", "IL 6", "il‑6", "ＩＬ６", "IL\u00ad6"),
        ("TNFα", "TNF-α", "TNFalpha", "TNF-alpha", "TNF alpha", "tnf-Alpha"),
        ("NFκB", "NF-κB", "NFkappaB", "NF-kappa-B", "NF kappa B"),
        ("ΔF508", "∆F508", "delta F508", "deltaF508", "Delta-F508"),
        ("β-thalassaemia", "beta thalassemia", "Beta-Thalassaemia", "ß-thalassemia"),
        ("IFN-γ2b", "IFNgamma 2b", "ifn gamma-2-b"),
        ("TGF-β1", "TGFß1", "TGFbeta1", "TGF beta 1"),
        ("5 μg", "5 µg", "5μg"),
        ("ﬁbrosis", "fibrosis", "FIBROSIS"),
        ("Sjögren’s", "Sjo\u0308gren's", "Sjogren"),
        ("CO₂", "CO2", "CO 2"),
        ("10⁶", "10^6", "10 6"),
        ("HbA1c", "HbA₁c", "HBA 1C"),
        ("naïve œdema", "naive oedema", "naive edema"),
        ("37\u00a0°C", "37 °C", "37 ℃"),
        ("Alzheimer's disease", "Alzheimer’s disease", "alzheimer disease"),
    ],
)
def test_ways_to_write_a_thing_are_the_same_row_of_atoms(ways: tuple[str, ...]) -> None:
    assert len({tuple(atoms(way)) for way in ways}) == 1, {way: atoms(way) for way in ways}


@pytest.mark.parametrize(
    ("one", "other"),
    [("10⁶", "106"), ("IL-6", "IL-16"), ("alpha", "beta"), ("CO2", "CO"), ("does", "dos"), ("alphas", "alpha")],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert atoms(one) != atoms(other)


def test_a_word_of_greek_is_no_row_of_symbols() -> None:
    assert atoms("καρδιά") == ["καρδια"]


def test_umlauts_are_also_found_as_two_letters() -> None:
    assert "uebelkeit" in indexed("Übelkeit").split()
    assert spelled_out("Sjögren") == fold("Sjoegren")
    assert spelled_out("fever") == ()
    assert units("Übelkeit", 9)[0] == Unit(("ubelkeit",), ("uebelkeit",))


@given(st.text(max_size=60))
def test_words_lie_in_the_text_in_order_and_atoms_have_nothing_to_fold(text: str) -> None:
    reached = 0
    for word in words(text):
        assert reached <= word.start < word.end <= len(text)
        reached = word.end
        for atom in word.atoms:
            assert atom
            assert " " not in atom


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_the_short_way_for_ascii_gives_the_same(text: str) -> None:
    assert atoms(text) == [atom for word in words(text) for atom in word.atoms]


@pytest.mark.parametrize("query", ["IL6", "IL-6", "IL 6"])
def test_a_compound_is_one_unit_however_it_is_written(query: str) -> None:
    assert units(query, 9) == [Unit(("il", "6"))]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("delta F508 in children", ["delta f 508", "children"]),
        ("metformin for type 2 diabetes", ["metformin", "type 2", "type", "diabetes"]),
        ("5-FU", ["5 fu"]),
        ("aspirin in 6 patients", ["aspirin", "6", "patients"]),
        ("anti-PD-1 antibody", ["anti pd 1", "anti", "antibody"]),
        ("the of", ["the", "of"]),
        ("?!", []),
    ],
)
def test_units_of_queries(query: str, rows: list[str]) -> None:
    assert [" ".join(unit.atoms) for unit in units(query, 99)] == rows


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("asprin", ["aspirin", "aspiration", "asp"], "aspirin"),
        ("metfromin", ["metformin", "methionine"], "metformin"),
        ("ibuprofin", ["ibuprofen"], "ibuprofen"),
        ("qwertyuiop", ["qualitative", "quercetin"], None),
        ("thrombolysis", ["thrombosis"], None),
        ("statim", ["statin", "static"], "statin"),
    ],
)
def test_the_word_that_was_meant(word: str, known: list[str], meant: str | None) -> None:
    assert closest(word, [(one, 10 - place) for place, one in enumerate(known)]) == meant
