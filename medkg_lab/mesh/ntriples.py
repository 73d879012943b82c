"""Descriptors and supplementary records from MeSH RDF as N-Triples (https://hhs.github.io/meshrdf/).

A descriptor has concepts, a concept has terms, and a term has labels; each is a triple of its own, in any order.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from medkg_lab.mesh.record import Record

_MESH = "http://id.nlm.nih.gov/mesh/"
_TRIPLE = re.compile(
    rf'<{_MESH}([A-Za-z0-9.]+)> <[^>]*[/#](\w+)> (?:<([^>]*)>|"((?:[^"\\]|\\.)*)"(?:@(\w+)|\^\^\S+)?) ?\.'
)
_UI = re.compile(r"[DC]\d+$")
_CLASSES = {"SCR_Chemical": "1", "SCR_Protocol": "2", "SCR_Disease": "3", "SCR_Organism": "4"}
_CONCEPTS = {"preferredConcept", "concept"}
_TERMS = {"preferredTerm", "term"}
_LABELS = {"prefLabel", "altLabel"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_CONTROL = {"t": " ", "n": " ", "r": " ", "b": " ", "f": " "}


def read_ntriples(lines: Iterable[str]) -> Iterator[Record]:
    """The records that the triples describe. A line that is not a triple of MeSH is passed over."""
    records: dict[str, Record] = {}
    below: defaultdict[str, list[str]] = defaultdict(list)
    labels: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        if not (match := _TRIPLE.match(line)):
            continue
        subject, predicate, target, literal, language = match.groups()
        if predicate in _LABELS and literal is not None and language in (None, "en"):
            labels[subject].append(unescape(literal))
        elif predicate in _CONCEPTS | _TERMS and target is not None:
            below[subject].append(target.removeprefix(_MESH))
        elif _UI.match(subject):
            _describe(records.setdefault(subject, Record(subject)), predicate, target, literal)
    for ui, record in records.items():
        record.terms = [label for c in below[ui] for term in below[c] for label in labels[term]]
        yield record


def _describe(record: Record, predicate: str, target: str | None, literal: str | None) -> None:
    if predicate == "label" and literal is not None:
        record.name = unescape(literal)
    elif predicate == "treeNumber" and target is not None:
        record.trees.append(target.removeprefix(_MESH))
    elif predicate == "type" and target is not None:
        record.record_class = _CLASSES.get(target.rpartition("#")[2], record.record_class)


def unescape(literal: str) -> str:
    """A literal's text (N-Triples, section 2.4); line breaks become spaces."""
    if "\\" not in literal:
        return literal

    def plain(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        if code:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
        return _CONTROL.get(match[3], match[3])

    return _ESCAPE.sub(plain, literal)
