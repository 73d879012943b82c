"""What a document's codes state by themselves: a trial studies conditions, tests interventions, measures outcomes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from medkg_lab.models.documents import Code, Document, Edge, Node
from medkg_lab.stages.extract.folding import normalise, term_id
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
_NO_NAMES = frozenset(
    {
        "",
        "other",
        "others",
        "none",
        "n/a",
        "na",
        "n a",
        "unknown",
        "not applicable",
        "not specified",
        "various",
        "misc",
        "no",
    }
)
_UNIT = r"(?:mg|µg|μg|mcg|ug|g|kg|ml|mL|l|iu|u|units?|meq|mmol|nmol|gy|%|mg/\S+|µg/\S+|mcg/\S+|g/\S+|iu/\S+)"
_DOSE = re.compile(
    rf"[\s,(]+(?:at |of |up to )?\d[\d.,]*(?:\s?(?:-|–|to|/"
    rf"|or)\s?\d[\d.,]*)?\s?{_UNIT}(?![\w])(?!\s*\+).*$",
    re.IGNORECASE,
)
_CODE_IN_BRACKETS = re.compile(r"(?<=\w)\s*\((?=[^()]*\d)[A-Za-z]{1,5}[- ]?\d[\w-]*\)")
_FORM = re.compile(
    r"(?<=\w)\s+(?:(?:oral|film-coated|extended[- ]release|delayed[- ]release|intravenous|subcutaneous|topical)\s+)?"
    r"(?:tablets?|capsules?|injections?|infusions?|pills?|oral solution|ointment|for injection|oral suspension"
    r"|nasal spray|eye drops)$",
    re.IGNORECASE,
)


@dataclass
class Statements:
    """Nodes by id and edges from codes; `terms` are what to look for in the text, with the nodes they name."""

    subject: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    terms: list[tuple[str, str]] = field(default_factory=list)
    own: dict[str, Node] = field(default_factory=dict)
    """The nodes of the document's own MeSH codes by their names."""


def read_statements(document: Document, vocabulary: Vocabulary) -> Statements:
    """Turn `document.codes` into nodes and edges, in their order; the document itself is the first node."""
    number = document.identifiers.get("nct")
    subject = f"nct:{number}" if number else f"doc:{document.doc_id}"
    statements = Statements(subject, own=_own_codes(document, vocabulary))
    statements.nodes[subject] = Node(node_id=subject, kind="trial" if number else "article", name=document.title)
    stated: set[tuple[str, str]] = set()
    for code in document.codes:
        if code.role in _RELATIONS and (code.code or code.role in _OF_THE_DOCUMENT or clean_term(code.term)):
            _state(statements, document, code, stated, vocabulary)
    return statements


def _own_codes(document: Document, vocabulary: Vocabulary) -> dict[str, Node]:
    """The nodes of the document's MeSH codes by their names, both ways round: free text of the same name means them."""
    found: dict[str, Node] = {}
    for code in document.codes:
        if code.scheme == "mesh" and code.code and code.role in _SOUGHT_IN_TEXT:
            node = node_of(code, document, vocabulary, {})
            head, _, rest = code.term.partition(", ")
            for name in (code.term, f"{rest} {head}"):
                found.setdefault(_key(name), node)
    return found


def _key(name: str) -> str:
    """What two spellings of one name have in common: neither case nor marks nor a plural of the whole count."""
    return normalise(name).removesuffix("s")


def clean_term(term: str) -> str:
    """A name as the registry's users mean it: without dose, form, code in brackets and full stop; empty when it names nothing.

    `Metformin 500 mg tablets twice daily` is `Metformin`, `Pembrolizumab (MK-3475) 200 mg Q3W` is `Pembrolizumab`.
    """
    text = " ".join(_DOSE.sub("", _CODE_IN_BRACKETS.sub(" ", term)).split()).strip(" .,;:-–")
    text = _FORM.sub("", text).strip(" .,;:-–")
    return "" if normalise(text) in _NO_NAMES else text


def _state(
    statements: Statements,
    document: Document,
    code: Code,
    stated: set[tuple[str, str]],
    vocabulary: Vocabulary,
) -> None:
    node = node_of(code, document, vocabulary, statements.own)
    statements.nodes.setdefault(node.node_id, node)
    if code.role in _SOUGHT_IN_TEXT and len(code.term.split()) <= _LONGEST_TERM_WORDS:
        statements.terms += ((term, node.node_id) for term in dict.fromkeys((code.term, clean_term(code.term))))
    relation = _RELATIONS[code.role]
    if (relation, node.node_id) in stated:
        return
    stated.add((relation, node.node_id))
    evidence = f"{code.place.element}: {code.term}"
    edge = Edge(
        source=statements.subject, relation=relation, target=node.node_id, doc_id=document.doc_id, evidence=evidence
    )
    statements.edges.append(edge)


def node_of(code: Code, document: Document, vocabulary: Vocabulary, own: Mapping[str, Node]) -> Node:
    """The node of a code: by its MeSH id, else the document's `own` code or the vocabulary's concept of that name, else a
    term."""
    term = clean_term(code.term) if code.role in _SOUGHT_IN_TEXT else code.term.strip()
    named = vocabulary.named(term) if code.role in _SOUGHT_IN_TEXT else None
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
    if code.role in _SOUGHT_IN_TEXT and (known_here := own.get(_key(term))):
        return known_here
    return _concept_node(named) if named else Node(node_id=term_id(term), kind=_KINDS[code.role], name=term)


def _concept_node(concept: Concept) -> Node:
    return Node(node_id=concept.node_id, kind=concept.kind, name=concept.name)
