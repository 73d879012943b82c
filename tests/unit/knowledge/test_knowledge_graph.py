"""Questions to the graph, asked of a real store."""

from collections import deque
from collections.abc import Iterator
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.knowledge import generation_writer, publishing
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.errors import NodeNotFound
from medkg_lab.knowledge.graph import Graph
from medkg_lab.knowledge.messages import GraphDocument
from tests.integration.knowledge.harness import graph_document

Triples = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("graph") / "knowledge.duckdb")
    yield opened
    opened.close()


_tenants = count()


def published(database: Database, documents: dict[str, Triples]) -> str:
    """Publish documents for a tenant of their own and return it."""
    tenant = f"t{next(_tenants)}"
    jobs = {doc: f"{tenant}-{doc}" for doc in documents}
    messages = [graph_document(doc, triples, job=jobs[doc], tenant=tenant) for doc, triples in documents.items()]
    generation_writer.stage_graph(
        database, f"batch-{tenant}", [GraphDocument.model_validate(message) for message in messages]
    )
    publishing.apply(database, [Effect(Action.PUBLISH, job) for job in jobs.values()], 1)
    return tenant


def test_a_node_is_found_by_id_then_by_name_then_by_a_name_that_begins_so(database: Database) -> None:
    tenant = published(
        database, {"a": [("Heart", "part_of", "Heart failure")], "b": [("Heart failure", "is", "Disease")]}
    )
    graph = Graph(database)
    assert graph.node("term:heart", tenant).name == "Heart"
    assert graph.node("HEART", tenant).node_id == "term:heart"
    by_prefix = graph.node("hea", tenant)
    assert by_prefix.node_id == "term:heart failure", "two documents name it, and one names the other"
    assert [other.node_id for other in by_prefix.others] == ["term:heart"]
    assert (by_prefix.documents, by_prefix.mentions) == (2, 2)


def test_percent_signs_and_quotes_in_a_name_are_only_characters(database: Database) -> None:
    tenant = published(database, {"a": [("100% 'pure'", "is", "Water")]})
    graph = Graph(database)
    assert graph.node("100% 'p", tenant).name == "100% 'pure'"
    for text in ("%", "_ater", "'; DROP TABLE node; --"):
        with pytest.raises(NodeNotFound):
            graph.node(text, tenant)


def test_neighbours_go_both_ways_with_the_most_documented_first(database: Database) -> None:
    tenant = published(
        database,
        {"a": [("Drug", "treats", "Illness"), ("Gene", "causes", "Illness")], "b": [("Gene", "causes", "Illness")]},
    )
    found = Graph(database).neighbours("illness", 10, tenant).neighbours
    assert [(n.name, n.relation, n.direction, n.documents) for n in found] == [
        ("Gene", "causes", "in", 2),
        ("Drug", "treats", "in", 1),
    ]
    assert len(Graph(database).neighbours("illness", 1, tenant).neighbours) == 1


def test_a_path_follows_statements_in_either_direction_and_names_its_documents(database: Database) -> None:
    tenant = published(database, {"a": [("A", "r", "B")], "b": [("C", "r", "B"), ("C", "q", "D")]})
    found = Graph(database).path("a", "d", 4, tenant)
    assert [node.name for node in found.nodes] == ["A", "B", "C", "D"]
    assert [(e.source, e.relation, e.target, e.documents) for e in found.edges] == [
        ("term:a", "r", "term:b", ["a"]),
        ("term:c", "r", "term:b", ["b"]),
        ("term:c", "q", "term:d", ["b"]),
    ]
    assert Graph(database).path("a", "d", 2, tenant).hops is None
    assert Graph(database).path("a", "a", 2, tenant).hops == 0


def test_why_gives_statements_of_both_directions_and_passages_that_name_both(database: Database) -> None:
    tenant = published(
        database, {"a": [("A", "r", "B")], "b": [("B", "q", "A")], "c": [("A", "r", "C"), ("B", "r", "C")]}
    )
    found = Graph(database).why("a", "b", tenant)
    assert [(s.relation, s.doc_id, s.chunk_id, s.evidence) for s in found.statements] == [
        ("r", "a", "a#0", "A r B"),
        ("q", "b", "b#0", "B q A"),
    ]
    assert [m.doc_id for m in found.mentioned_together] == ["a", "b", "c"]


def test_an_export_counts_a_statement_once_and_says_when_it_was_cut(database: Database) -> None:
    tenant = published(database, {"a": [("A", "r", "B")], "b": [("A", "r", "B")]})
    whole = Graph(database).export(10, tenant)
    assert [e.documents for e in whole.edges] == [["a", "b"]]
    assert (len(whole.nodes), whole.truncated) == (2, False)
    assert Graph(database).export(1, tenant).truncated


NAMES = st.sampled_from("ABCDEFGH")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NAMES, st.sampled_from(["r", "q"]), NAMES), min_size=1, max_size=14))
def test_paths_are_shortest(database: Database, triples: Triples) -> None:
    tenant = published(database, {"a": triples[::2], "b": triples[1::2]})
    graph = Graph(database)
    start, end = triples[0][0], triples[-1][2]
    found = graph.path(f"term:{start.lower()}", f"term:{end.lower()}", 8, tenant)
    assert found.hops == _distance(triples, start, end)
    for (one, other), edge in zip(_pairs(found.nodes), found.edges, strict=True):
        assert {edge.source, edge.target} == {one, other}


def _pairs(nodes: list[dict[str, str]]) -> list[tuple[str, str]]:
    ids = [node.node_id for node in nodes]
    return list(pairwise(ids))


def _distance(triples: Triples, start: str, end: str) -> int | None:
    distances, queue = {start: 0}, deque([start])
    while queue:
        at = queue.popleft()
        for source, _, target in triples:
            for one, other in ((source, target), (target, source)):
                if one == at and other not in distances:
                    distances[other] = distances[at] + 1
                    queue.append(other)
    return distances.get(end)


def test_a_node_is_found_by_what_a_document_calls_it(database: Database) -> None:
    tenant = f"called-{next(_tenants)}"
    given = graph_document("file:a", [("Diabetes Mellitus, Type 2", "treated_by", "Metformin")], tenant=tenant)
    given["mentions"][0] |= {"text": "NIDDM", "node_id": "term:diabetes mellitus, type 2"}
    document = GraphDocument.model_validate({**given, "job_id": tenant})
    generation_writer.stage_graph(database, tenant, [document])
    publishing.apply(database, [Effect(Action.PUBLISH, tenant)], 1)
    graph = Graph(database)
    assert graph.node("niddm", tenant).name == "Diabetes Mellitus, Type 2"
    assert graph.path("NIDDM", "metformin", 2, tenant).hops == 1
    with pytest.raises(NodeNotFound):
        graph.node("niddm", "another")
