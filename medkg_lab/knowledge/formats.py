"""The exported graph as JSON lines, GraphML, CSV for Neo4j or JSON-LD: pure functions over an export."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from msgspec import to_builtins

from medkg_lab.knowledge.answers import GraphEdge, GraphExport, Node

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NODE_KEYS = (("kind", "string"), ("name", "string"), ("documents", "int"))
_EDGE_KEYS = (("relation", "string"), ("documents", "string"), ("evidence", "string"))
_IRIS = {
    "mesh": "http://id.nlm.nih.gov/mesh/",
    "nct": "https://clinicaltrials.gov/study/",
    "pmid": "https://pubmed.ncbi.nlm.nih.gov/",
    "doi": "https://doi.org/",
}
_OTHER_IRI = "urn:medkg-lab:"
_VOCABULARY = "urn:medkg-lab:vocabulary:"


def lines(export: GraphExport) -> dict[str, str]:
    """One file of JSON lines (https://jsonlines.org), in ASCII without control characters: the nodes, then the edges."""
    nodes = ({"type": "node", **to_builtins(node)} for node in export.nodes)
    made = (*nodes, *({"type": "edge", **to_builtins(edge)} for edge in export.edges))
    text = "".join(f"{json.dumps(one, default=str)}\n" for one in made)
    # JSON escapes all control characters but this one; it can only stand inside a string.
    return {"graph.jsonl": text.replace("\x7f", "\\u007f")}


def graphml(export: GraphExport) -> dict[str, str]:
    """One GraphML file (http://graphml.graphdrawing.org/specification.html): a directed edge per statement."""
    return {"graph.graphml": "\n".join(_graphml(export)) + "\n"}


def _graphml(export: GraphExport) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for domain, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, kind in keys:
            yield f'  <key id="{domain}_{name}" for="{domain}" attr.name="{name}" attr.type="{kind}"/>'
    yield '  <graph id="medkg-lab" edgedefault="directed">'
    for node in all_nodes(export):
        data = _data("node", _NODE_KEYS, (node.kind, node.name, node.documents))
        yield f"    <node id={_attribute(node.node_id)}>{data}</node>"
    for number, edge in enumerate(export.edges):
        ends = f"source={_attribute(edge.source)} target={_attribute(edge.target)}"
        yield f'    <edge id="e{number}" {ends}>{_data("edge", _EDGE_KEYS, _edge_texts(edge))}</edge>'
    yield "  </graph>"
    yield "</graphml>"


def _data(domain: str, keys: Sequence[tuple[str, str]], values: Sequence[object]) -> str:
    return "".join(
        f'<data key="{domain}_{name}">{html.escape(_xml(str(value)), quote=False)}</data>'
        for (name, _), value in zip(keys, values, strict=True)
    )


_WHITE = str.maketrans({"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
"""A reader of XML makes spaces of these in an attribute unless they are written so."""


def _attribute(text: str) -> str:
    return '"' + html.escape(_xml(text)).translate(_WHITE) + '"'


def _xml(text: str) -> str:
    """`text` without the characters that XML 1.0 has no way to write."""
    return _NOT_XML.sub("\ufffd", text)


def neo4j(export: GraphExport) -> dict[str, str]:
    """Two CSV files for `neo4j-admin database import`: nodes, and relationships of a type each.

    Format: https://neo4j.com/docs/operations-manual/current/import/; lists are separated by `;`.
    """
    nodes = [(node.node_id, node.name, node.documents, _label(node.kind)) for node in all_nodes(export)]
    told = [(edge, _edge_texts(edge)) for edge in export.edges]
    edges = [(e.source, e.target, e.relation, text.documents, text.evidence) for e, text in told]
    return {
        "nodes.csv": _csv(("nodeId:ID", "name", "documents:int", ":LABEL"), nodes),
        "relationships.csv": _csv((":START_ID", ":END_ID", ":TYPE", "documents:string[]", "evidence:string[]"), edges),
    }


def _label(kind: str) -> str:
    return "".join(word.capitalize() for word in re.findall(r"\w+", kind)) or "Concept"


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def jsonld(export: GraphExport) -> dict[str, str]:
    """One JSON-LD 1.1 file: nodes as resources, each statement a reified triple with what it was derived from (PROV-O)."""
    context = {
        "@vocab": _VOCABULARY,
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "prov": "http://www.w3.org/ns/prov#",
        "name": "rdfs:label",
    }
    nodes = [
        {
            "@id": iri(node.node_id),
            "@type": _label(node.kind),
            "name": node.name,
            "documents": node.documents,
        }
        for node in all_nodes(export)
    ]
    statements = [
        {
            "@type": "rdf:Statement",
            "rdf:subject": {"@id": iri(edge.source)},
            "rdf:predicate": {"@id": _VOCABULARY + quote(edge.relation)},
            "rdf:object": {"@id": iri(edge.target)},
            "prov:wasDerivedFrom": [{"@id": iri(doc)} for doc in edge.documents],
            "evidence": [
                {name: value for name, value in to_builtins(one).items() if value is not None} for one in edge.evidence
            ],
        }
        for edge in export.edges
    ]
    return {"graph.jsonld": json.dumps({"@context": context, "@graph": [*nodes, *statements]}, indent=1) + "\n"}


def iri(node_id: str) -> str:
    """The IRI of a node or document: its home on the web where its scheme has one, else one of the lab's own."""
    scheme, _, rest = node_id.partition(":")
    return _IRIS[scheme] + quote(rest) if scheme in _IRIS and rest else _OTHER_IRI + quote(node_id)


def all_nodes(export: GraphExport) -> list[Node]:
    """The exported nodes, and a bare one for each end of an edge that is not among them."""
    known = {node.node_id for node in export.nodes}
    ends = dict.fromkeys(end for edge in export.edges for end in (edge.source, edge.target) if end not in known)
    return [*export.nodes, *(Node(end, "", end, 0) for end in ends)]


class _EdgeTexts(NamedTuple):
    """An edge in words: its relation, its documents, and where they say so, as `chunk:start-end`."""

    relation: str
    documents: str
    evidence: str


def _edge_texts(edge: GraphEdge) -> _EdgeTexts:
    places = [f"{one.chunk_id}:{one.start}-{one.end}" for one in edge.evidence if one.chunk_id]
    return _EdgeTexts(edge.relation, ";".join(edge.documents), ";".join(places))


FORMATS: Mapping[str, Callable[[GraphExport], dict[str, str]]] = {
    "lines": lines,
    "graphml": graphml,
    "neo4j": neo4j,
    "jsonld": jsonld,
}
"""Files by name, for each format by name."""
