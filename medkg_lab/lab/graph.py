"""The graph as people walk it: what is said about a node, how sure each statement is, and what contradicts what."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from medkg_lab.knowledge import answers
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import DEFAULT_TENANT

MAX_EDGES = 500
"""Edges of a node that are read at once: those of most documents come first."""
MENTIONS = "MENTIONS"
STATED, DENIED = "stated", "denied"
_SURE = {
    MENTIONS: STATED,
    "MENTIONS_ABSENCE_OF": DENIED,
    "MENTIONS_POSSIBLE": "possible",
    "MENTIONS_IN_FAMILY": "of a relative",
    "EXCLUDES": "excluded",
}
_RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Edge:
    """A statement about a node from its own point of view: `out` when the node is its source; in how many documents."""

    relation: str
    direction: Literal["out", "in"]
    node_id: str
    name: str
    documents: int

    @property
    def key(self) -> str:
        """What tells it from the node's other edges."""
        return f"{self.direction} {self.relation} {self.node_id}"


@dataclass(frozen=True, slots=True)
class Node:
    """A thing that documents speak of; `others` are the ids of further nodes that were called the same."""

    node_id: str
    kind: str
    name: str
    documents: int
    mentions: int
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Around:
    """A node with its edges; `is_whole` unless there are more than were asked for."""

    node: Node
    edges: tuple[Edge, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """Where a document says it: the sentence, and what in it is the mention; without `chunk_id` it is a field of its record."""

    doc_id: str
    title: str
    chunk_id: str | None
    evidence: str
    mention: str


def around(lab: Lab, name: str, limit: int = MAX_EDGES, tenant: str = DEFAULT_TENANT) -> Around:
    """What is said about a node, by its id or its name in the graph. Raises NodeNotFound."""
    return read_around(lab.knowledge.neighbours(name, limit=limit, tenant=tenant), limit)


def read_around(found: answers.Neighbours, limit: int = MAX_EDGES) -> Around:
    """A node with its edges, from what the knowledge process answers: what is said about it before where it only occurs."""
    node, listed = found.node, found.neighbours
    others = tuple(one.node_id for one in node.others)
    edges = (Edge(one.relation, one.direction, one.node_id, one.name, one.documents) for one in listed)
    shown = Node(node.node_id, node.kind, node.name, node.documents, node.mentions, others)
    told_first = tuple(sorted(edges, key=lambda edge: edge.relation == MENTIONS))
    return Around(shown, told_first, len(listed) < limit)


def statements(lab: Lab, node_id: str, edge: Edge, tenant: str = DEFAULT_TENANT) -> list[Statement]:
    """Every sentence that makes an edge of a node, by document. Raises NodeNotFound."""
    source, target = (node_id, edge.node_id) if edge.direction == "out" else (edge.node_id, node_id)
    found = lab.knowledge.why(source, target, tenant=tenant).statements
    return [
        _statement(one) for one in found if (one.source, one.relation, one.target) == (source, edge.relation, target)
    ]


def _statement(one: answers.Statement) -> Statement:
    mention = one.text[one.start : one.end] if one.text and one.start is not None else ""
    return Statement(one.doc_id, one.title or "", one.chunk_id, one.evidence or "", mention)


def how_sure(relation: str) -> str:
    """How a document says it: `stated`, `denied`, `possible` … of what its text mentions; `recorded` in a field of its record."""
    return _SURE.get(relation, _RECORDED)


def contradicting(edges: Iterable[Edge]) -> frozenset[Edge]:
    """The edges that others of the same node contradict.

    A document that both states and denies a thing contradicts itself: both edges are in. What one document denies and another
    one states is contradicted: the edge that denies is in.
    """
    by_other: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    said = [edge for edge in edges if how_sure(edge.relation) in (STATED, DENIED)]
    for edge in said:
        by_other[edge.direction, edge.node_id].append(edge)
    found = {edge for pair in by_other.values() if len({each.relation for each in pair}) > 1 for edge in pair}
    if any(edge.direction == "in" and how_sure(edge.relation) == STATED for edge in said):
        found |= {edge for edge in said if edge.direction == "in" and how_sure(edge.relation) == DENIED}
    return frozenset(found)


def relations(edges: Sequence[Edge]) -> list[str]:
    """The relations that a node has, those of most edges first."""
    counted: dict[str, int] = defaultdict(int)
    for edge in edges:
        counted[edge.relation] += 1
    return sorted(counted, key=lambda relation: (-counted[relation], relation))
