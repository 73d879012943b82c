"""What a document's codes state by themselves: a trial studies conditions, tests interventions, measures outcomes."""

from dataclasses import dataclass, field

from medkg_lab.models.ir import Code, Document, Edge, Node
from medkg_lab.stages.extract.folding import term_id
from medkg_lab.stages.extract.vocabulary import Concept, Vocabulary

_RELATIONS = {
    "condition": "STUDIES",
    "intervention": "TESTS",
    "outcome": "MEASURES",
    "arm": "HAS_ARM",
    "sponsor": "SPONSORED_BY",
    "collaborator": "SUPPORTED_BY",
    "keyword": "MENTIONS",
}
_KINDS = {
    "condition": "disease",
    "intervention": "intervention",
    "outcome": "outcome",
    "arm": "arm",
    "sponsor": "organisation",
    "collaborator": "organisation",
    "keyword": "concept",
}
_OF_THE_DOCUMENT = {"arm", "outcome"}
"""Arms and outcomes are the document's own: the placebo arms of two trials are two nodes."""
_SOUGHT_IN_TEXT = {"condition", "intervention", "keyword"}
_LONGEST_TERM_WORDS = 8


@dataclass
class Statements:
    """Nodes by id and edges from codes; `terms` are what to look for in the text, with the nodes they name."""

    subject: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    terms: list[tuple[str, str]] = field(default_factory=list)


def read_statements(document: Document, vocabulary: Vocabulary) -> Statements:
    """Turn `document.codes` into nodes and edges, in their order; the document itself is the first node."""
    number = document.identifiers.get("nct")
    subject = f"nct:{number}" if number else f"doc:{document.doc_id}"
    statements = Statements(subject)
    statements.nodes[subject] = Node(node_id=subject, kind="trial" if number else "article", name=document.title)
    stated: set[tuple[str, str]] = set()
    for code in document.codes:
        if code.role in _RELATIONS:
            _state(statements, document, code, stated, vocabulary)
    return statements


def _state(
    statements: Statements, document: Document, code: Code, stated: set[tuple[str, str]], vocabulary: Vocabulary
) -> None:
    node = node_of(code, document, vocabulary)
    statements.nodes.setdefault(node.node_id, node)
    if code.role in _SOUGHT_IN_TEXT and len(code.term.split()) <= _LONGEST_TERM_WORDS:
        statements.terms.append((code.term, node.node_id))
    relation = _RELATIONS[code.role]
    if (relation, node.node_id) in stated:
        return
    stated.add((relation, node.node_id))
    evidence = f"{code.place.element}: {code.term}"
    edge = Edge(
        source=statements.subject, relation=relation, target=node.node_id, doc_id=document.doc_id, evidence=evidence
    )
    statements.edges.append(edge)


def node_of(code: Code, document: Document, vocabulary: Vocabulary) -> Node:
    """The node of a code: by its MeSH id, else the vocabulary's concept of that name, else a term of its own."""
    named = vocabulary.named(code.term) if code.role in _SOUGHT_IN_TEXT else None
    if code.scheme == "mesh" and code.code:
        node_id = f"mesh:{code.code}"
        known = vocabulary.by_id.get(node_id)
        # The vocabulary has concepts without an id; texts mention these, so the code must lead to the same node.
        if known is None and named and not named.node_id.startswith("mesh:"):
            known = named
        return _concept_node(known) if known else Node(node_id=node_id, kind=_KINDS[code.role], name=code.term)
    if code.role in _OF_THE_DOCUMENT:
        return Node(
            node_id=term_id(f"{document.doc_id} {code.role} {code.term}"), kind=_KINDS[code.role], name=code.term
        )
    return _concept_node(named) if named else Node(node_id=term_id(code.term), kind=_KINDS[code.role], name=code.term)


def _concept_node(concept: Concept) -> Node:
    return Node(node_id=concept.node_id, kind=concept.kind, name=concept.name)
