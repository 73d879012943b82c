"""One node for one name: what the registry's users write, and what the registry itself codes."""

import pytest

from medkg_lab.stages.extract.coded_statements import clean_term
from tests.unit.extract.test_extract_structured import chunk, code, extract, relations


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("Metformin 500 mg tablets twice daily", "Metformin"),
        ("Pembrolizumab (MK-3475) 200 mg Q3W", "Pembrolizumab"),
        ("Disc Herniation.", "Disc Herniation"),
        ("Aspirin 81mg", "Aspirin"),
        ("Ibuprofen, 400-800 mg orally", "Ibuprofen"),
        ("Vitamin D3", "Vitamin D3"),
        ("Vitamin D3 2,000 IU/day", "Vitamin D3"),
        ("0.9% saline", "0.9% saline"),
        ("Lidocaine 2%", "Lidocaine"),
        ("Naproxen Tablets", "Naproxen"),
        ("Botulinum toxin injection", "Botulinum toxin"),
        ("Compound XY-12", "Compound XY-12"),
        ("Injection", "Injection"),
        ("Other", ""),
        ("N/A", ""),
        (" . ", ""),
    ],
)
def test_names_are_cleaned(term: str, expected: str) -> None:
    assert clean_term(term) == expected


def test_the_registrys_own_code_wins_over_free_text_of_its_name() -> None:
    codes = (
        code("Frobnic Pain", "condition"),
        code("Frob Syndromes.", "condition"),
        code("Other", "condition"),
        code("Pain, Frobnic", "condition", "mesh", "D999001"),
        code("Frob Syndrome", "condition", "mesh", "D999002"),
        code("Quuxin 5 mg/kg IV", "intervention"),
        code("quuxin", "intervention", "mesh", "C999003"),
    )
    extraction = extract(chunk("Frobnic pain and Quuxin 5 mg/kg IV; quuxin."), codes=codes)
    assert [one for one in relations(extraction) if one[0] != "MENTIONS"] == [
        ("STUDIES", "mesh:D999001"),
        ("STUDIES", "mesh:D999002"),
        ("TESTS", "mesh:C999003"),
    ]
    assert {mention.node_id for mention in extraction.mentions} == {"mesh:D999001", "mesh:C999003"}


def test_a_trial_neither_denies_nor_excludes_what_it_studies() -> None:
    text = "No gout was seen. No asthma was seen."
    listed = chunk("Gout; asthma", 1, "Eligibility", "Exclusion Criteria")
    extraction = extract(chunk(text), listed, codes=(code("Gout", "condition"),))
    assert relations(extraction) == [
        ("STUDIES", "mesh:D006073"),
        ("MENTIONS", "mesh:D006073"),
        ("MENTIONS_ABSENCE_OF", "mesh:D001249"),
        ("MENTIONS", "mesh:D006073"),
        ("EXCLUDES", "mesh:D001249"),
    ]
