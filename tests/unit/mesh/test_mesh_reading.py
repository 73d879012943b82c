"""MeSH from each of its forms, hostile and broken files, and what becomes the vocabulary."""

import gzip
from pathlib import Path

import pytest

from medkg_lab.errors import LabError
from medkg_lab.mesh import reading, vocabulary_store
from medkg_lab.mesh.errors import MeshUnreadable, NothingInMesh
from medkg_lab.mesh.ntriples import unescape
from medkg_lab.mesh.record import Record, concepts, kind_of, terms_of
from medkg_lab.stages.extract.errors import VocabularyDamaged, VocabularyMissing
from medkg_lab.stages.extract.vocabulary import bundled, load

XML = """<?xml version="1.0"?>
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D990001</DescriptorUI>
<DescriptorName><String>Hypertension, Frobnic</String></DescriptorName>
<TreeNumberList><TreeNumber>C14.907.489</TreeNumber></TreeNumberList>
<ConceptList><Concept><TermList><Term><String>Frobnic High
Pressure</String></Term></TermList></Concept></ConceptList></DescriptorRecord>
<DescriptorRecord><DescriptorUI>D990002</DescriptorUI><DescriptorName><String>Geneva</String></DescriptorName>
<TreeNumberList><TreeNumber>Z01.542</TreeNumber></TreeNumberList></DescriptorRecord>
</DescriptorRecordSet>"""
SUPPLEMENT = """<SupplementalRecordSet><SupplementalRecord SCRClass="3"><SupplementalRecordUI>C990001</SupplementalRecordUI>
<SupplementalRecordName><String>Frobnitis</String></SupplementalRecordName></SupplementalRecord></SupplementalRecordSet>"""
MESH, VOCAB = "http://id.nlm.nih.gov/mesh/", "http://id.nlm.nih.gov/mesh/vocab#"
TRIPLES = f"""<{MESH}D990001> <{VOCAB}treeNumber> <{MESH}C14.907.489> .
<{MESH}D990001> <http://www.w3.org/2000/01/rdf-schema#label> "Hypertension, Frobnic"@en .
<{MESH}T1> <{VOCAB}altLabel> "Frobnic High \\"Pressure\\""@en .
<{MESH}D990001> <{VOCAB}preferredConcept> <{MESH}M1> .
<{MESH}M1> <{VOCAB}term> <{MESH}T1> .
not a triple
"""
TERMS = "mesh_id\tmesh_name\nD990001\tHypertension, Frobnic\n"
TREES = "mesh_id\tmesh_name\tmesh_tree_number\nD990001\tHypertension, Frobnic\tC14.907.489\n"


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_the_same_record_from_each_form(tmp_path: Path) -> None:
    for name, content in (("a.xml", XML), ("a.nt", TRIPLES), ("a.tsv", TREES)):
        (found,) = reading.read([write(tmp_path, name, content)])
        assert (found.node_id, found.kind) == ("mesh:D990001", "disease")
        assert found.terms[:2] == ("Hypertension, Frobnic", "Frobnic Hypertension")
    assert "Frobnic High Pressure" in reading.read([tmp_path / "a.xml"])[0].terms
    assert 'Frobnic High "Pressure"' in reading.read([tmp_path / "a.nt"])[0].terms


def test_files_are_taken_together(tmp_path: Path) -> None:
    terms, trees = write(tmp_path, "t.tsv", TERMS), write(tmp_path, "n.tsv", TREES)
    with pytest.raises(NothingInMesh, match="None of the 1 records"):
        reading.read([terms])
    packed = tmp_path / "supp.xml.gz"
    packed.write_bytes(gzip.compress(SUPPLEMENT.encode()))
    assert [concept.node_id for concept in reading.read([terms, trees, packed])] == ["mesh:C990001", "mesh:D990001"]


@pytest.mark.parametrize(
    ("trees", "kind"),
    [
        (["C23.888.1"], "symptom"),
        (["C10.1", "C23.888.1"], "symptom"),
        (["C23.550.291.5"], None),
        (["C23.550.260", "I03.1"], None),
        (["C23.550.291.5", "C10.1"], "disease"),
        (["F03.2"], "disease"),
        (["D12.776.3"], "protein"),
        (["D02.1"], "chemical"),
        (["D26.1"], None),
        (["B01.1"], None),
        ([], None),
    ],
)
def test_kinds_follow_the_tree(trees: list[str], kind: str | None) -> None:
    assert kind_of(Record("D1", trees=trees)) == kind


def test_terms_are_what_a_text_says() -> None:
    record = Record("D1", "Neoplasms, Frobnic", ["Frobnic Neoplasms", "ab", "Disease", "12345", "a; b", "x" * 200])
    assert list(terms_of(record, {})) == [
        "Neoplasms, Frobnic",
        "Frobnic Neoplasms",
        "Frobnic Cancer",
        "Frobnic Tumor",
        "Frobnic Tumour",
    ]


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("Frobnic Syndromes", ["Frobnic Disease", "Frobnic Disorder"]),
        ("Frob-Nicker Disease", ["Frob-Nicker Syndrome", "Frob-Nicker Disorder", "Frob-Nicker"]),
        ("von Frob-Nicker Disease", ["von Frob-Nicker Syndrome", "von Frob-Nicker Disorder", "von Frob-Nicker"]),
        ("X-linked Disease", ["X-linked Syndrome", "X-linked Disorder"]),
        ("Anemia, Frobnic", ["Frobnic Anemia", "Anaemia, Frobnic", "Frobnic Anaemia"]),
        ("Haemophilus Leukemia", ["Haemophilus Leukaemia"]),
        ("Hemolytic Anemia", ["Haemolytic Anaemia"]),
        ("Frobnia", []),
    ],
)
def test_terms_are_also_what_other_authors_write(name: str, others: list[str]) -> None:
    assert list(terms_of(Record("D1", name), {})) == [name, *others]


def test_a_heading_of_its_own_is_no_other_way_to_write_another() -> None:
    trees = ["C10.1"]
    records = [Record("D1", "Frobnic Disease", trees=trees), Record("D2", "Frobnic Syndrome", trees=trees)]
    assert [concept.terms for concept in concepts(records)] == [
        ("Frobnic Disease", "Frobnic Disorder"),
        ("Frobnic Syndrome", "Frobnic Disorder"),
    ]


def test_escapes_of_triples() -> None:
    assert unescape(r"a\u00e9\"b\\c\n\UFFFFFFFF") == 'aé"b\\c \ufffd'


BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("doctype", [BOMB, OUTSIDE])
def test_entities_are_not_expanded(tmp_path: Path, doctype: str) -> None:
    hostile = XML.partition("?>")[2].replace("Geneva", "&a;").replace("Frobnic High", "&a;")
    (found,) = reading.read([write(tmp_path, "x.xml", doctype + hostile)])
    assert all("aaa" not in term for term in found.terms)
    assert found.terms[0] == "Hypertension, Frobnic"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.xml", XML[:300]),
        ("deep.xml", "<a>" * 5000),
        ("table.tsv", "one\ttwo\n1\t2\n"),
        ("empty.tsv", ""),
        ("broken.xml.gz", "no gzip"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises((MeshUnreadable, NothingInMesh), match=name.replace(".", r"\.")):
        reading.read([write(tmp_path, name, content)])


def test_a_small_archive_of_a_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    path = tmp_path / "bomb.tsv.gz"
    path.write_bytes(gzip.compress(TREES.encode() + b" " * 1_000_000))
    with pytest.raises(MeshUnreadable, match="larger than 1000"):
        reading.read([path])


def test_what_is_kept_is_what_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "vocabularies"
    assert vocabulary_store.current(folder) == "bundled"
    assert vocabulary_store.in_use(folder) is bundled()
    concepts = reading.read([write(tmp_path, "a.xml", XML)])
    version = vocabulary_store.save(folder, concepts)
    assert vocabulary_store.save(folder, concepts) == version == vocabulary_store.current(folder)
    assert vocabulary_store.versions(folder) == ["bundled", version]
    used = vocabulary_store.in_use(folder)
    assert used.version == version == vocabulary_store.of_files([tmp_path / "a.xml"]).version
    named = used.named("frobnic hypertension")
    assert named is not None
    assert named.node_id == "mesh:D990001"
    assert used.named("heart attack") == bundled().named("heart attack")


def test_a_vocabulary_that_was_changed_or_is_gone_is_not_used(tmp_path: Path) -> None:
    version = vocabulary_store.save(tmp_path, reading.read([write(tmp_path, "a.xml", XML)]))
    (tmp_path / f"{version}.tsv").write_text("D1\tdisease\tOther\t\n")
    with pytest.raises(VocabularyDamaged):
        load(tmp_path, "current")
    for folder in (tmp_path, None):
        with pytest.raises(VocabularyMissing) as refused:
            load(folder, "0123456789ab")
        assert isinstance(refused.value, LabError)
    assert load(None, "current") is bundled()


@pytest.mark.parametrize("version", ["../secret", "sub/../../secret", "", ".", "0123456789AB", "0123456789ab\n"])
def test_a_version_names_no_file_elsewhere(tmp_path: Path, version: str) -> None:
    (tmp_path / "secret.tsv").write_text("x")
    (tmp_path / "in").mkdir()
    with pytest.raises(VocabularyMissing):
        load(tmp_path / "in", version)
