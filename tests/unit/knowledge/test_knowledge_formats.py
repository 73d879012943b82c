"""The graph in other tools' formats: readable by their own parsers, whatever names the nodes have."""

import csv
import io
import json
from dataclasses import asdict
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.answers import EdgeEvidence, GraphEdge, GraphExport, Node
from medkg_lab.knowledge.formats import FORMATS, graphml, iri, jsonld, neo4j

TEXT = st.text(min_size=1, max_size=12)
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


def export(name: str = "Aspirin", relation: str = "TREATS") -> GraphExport:
    evidence = EdgeEvidence("pmc:1", "pmc:1#0", 3, 9, "Aspirin eased pain.", None)
    stated = EdgeEvidence("pmc:2", None, None, None, "code", None)
    nodes = [Node("mesh:D001241", "drug", name, 2), Node(f"term:{name}", "finding of a kind", "Pain", 1)]
    edges = [
        GraphEdge("mesh:D001241", relation, f"term:{name}", ["pmc:1", "pmc:2"], [evidence, stated]),
        GraphEdge("nct:NCT1", "TESTS", "mesh:D001241", ["x"]),
    ]
    return GraphExport(nodes, edges, truncated=False)


@given(name=TEXT, relation=TEXT)
def test_graphml_is_well_formed_and_every_edge_has_its_ends(name: str, relation: str) -> None:
    root = ElementTree.fromstring(graphml(export(name, relation))["graph.graphml"].encode("utf-8", "replace"))
    nodes = {node.get("id") for node in root.iter(f"{GRAPHML}node")}
    edges = list(root.iter(f"{GRAPHML}edge"))
    assert len(edges) == 2
    assert {edge.get(end) for edge in edges for end in ("source", "target")} <= nodes
    keys = {key.get("id") for key in root.iter(f"{GRAPHML}key")}
    assert {data.get("key") for data in root.iter(f"{GRAPHML}data")} <= keys


def test_graphml_keeps_provenance() -> None:
    root = ElementTree.fromstring(graphml(export())["graph.graphml"])
    edge = next(root.iter(f"{GRAPHML}edge"))
    assert {data.get("key"): data.text for data in edge} == {
        "edge_relation": "TREATS",
        "edge_documents": "pmc:1;pmc:2",
        "edge_evidence": "pmc:1#0:3-9",
    }


@given(name=TEXT)
def test_neo4j_gets_two_tables_that_belong_together(name: str) -> None:
    files = {key: list(csv.DictReader(io.StringIO(text, newline=""))) for key, text in neo4j(export(name)).items()}
    assert [row["name"] for row in files["nodes.csv"]][:2] == [name, "Pain"]
    ids = {row["nodeId:ID"] for row in files["nodes.csv"]}
    for row in files["relationships.csv"]:
        assert {row[":START_ID"], row[":END_ID"]} <= ids
    assert files["nodes.csv"][1][":LABEL"] == "FindingOfAKind"


def test_jsonld_says_what_a_statement_was_derived_from() -> None:
    graph = json.loads(jsonld(export())["graph.jsonld"])["@graph"]
    [statement, _] = [one for one in graph if one["@type"] == "rdf:Statement"]
    assert statement["rdf:subject"] == {"@id": "http://id.nlm.nih.gov/mesh/D001241"}
    assert statement["prov:wasDerivedFrom"] == [{"@id": "urn:medkg-lab:pmc%3A1"}, {"@id": "urn:medkg-lab:pmc%3A2"}]
    assert statement["evidence"][0]["start"] == 3
    assert statement["evidence"][1] == {"doc_id": "pmc:2", "text": "code"}
    resources = {one["@id"] for one in graph if "@id" in one}
    assert statement["rdf:object"]["@id"] in resources


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("nct:NCT1", "https://clinicaltrials.gov/study/NCT1"),
        ("term:a b", "urn:medkg-lab:term%3Aa%20b"),
        ("mesh:", "urn:medkg-lab:mesh%3A"),
    ],
)
def test_iris(node: str, expected: str) -> None:
    assert iri(node) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_graph_has_every_format(name: str) -> None:
    files = FORMATS[name](GraphExport([], [], truncated=False))
    assert all(files.values()) or files == {"graph.jsonl": ""}


def test_lines_are_ascii_without_control_characters_and_nodes_come_first() -> None:
    node = Node("n", "k", "é\x1b\x7f\u202e", 1)
    (text,) = FORMATS["lines"](GraphExport([node], [GraphEdge("n", "IS", "n", [])], truncated=False)).values()
    assert all(" " <= each <= "~" for line in text.splitlines() for each in line)
    first, second = map(json.loads, text.splitlines())
    assert first == {"type": "node", **asdict(node)}
    assert second["type"] == "edge"
