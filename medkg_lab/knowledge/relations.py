"""Which published documents belong together: by their identifiers, and by the relations and citations that their metadata lists.

Nothing is stored for it: a relation names an identifier, and which document has that is known only when it is asked.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from medkg_lab.knowledge.answers import GraphEdge, IdentifiedDocument, Neighbour
from medkg_lab.knowledge.database import Database
from medkg_lab.models import citations
from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.models.relations import INVERSES, KEY, Relation, read

SAME_WORK = "SAME_WORK_AS"
"""Two documents with an identifier in common: an abstract and its full text, a file and its record."""
CITES = "CITES"
"""A document's bibliography, or a registry record's references, give an identifier of the other one."""
_SHARED = (Scheme.DOI, Scheme.PMC, Scheme.PMID)
_FORWARD = (
    Relation.PREPRINT_OF,
    Relation.VERSION_OF,
    Relation.RETRACTS,
    Relation.CORRECTS,
    Relation.CONCERN_ABOUT,
)
"""The direction in which a relation is stated, whichever of the two documents names it."""
_DOCUMENTS = """
SELECT g.doc_id, d.title, d.metadata FROM document d JOIN generation g ON g.id = d.generation
WHERE g.state = 'published' AND g.tenant = ?
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A published document: its identifiers as `scheme:value`, the relations and identifiers that it names, what it cites."""

    doc_id: str
    title: str
    identifiers: frozenset[str]
    node_id: str
    related: tuple[tuple[Relation, str], ...] = ()
    cites: tuple[str, ...] = ()

    def identifier(self, scheme: Scheme) -> str | None:
        """Its identifier of a scheme, without the scheme."""
        found = (one.partition(":")[2] for one in sorted(self.identifiers) if one.startswith(f"{scheme}:"))
        return next(found, None)

    @classmethod
    def of(cls, doc_id: str, title: str, metadata: Mapping[str, object]) -> "Work":
        """A document from what its metadata says."""
        given = (parse(f"{scheme}:{metadata.get(scheme) or ''}") for scheme in Scheme)
        identifiers = frozenset(str(one) for one in given if one is not None)
        is_preprint = "preprint" in str(metadata.get("article_type", ""))
        related = tuple((relation, str(one)) for relation, one in read(_texts(metadata, KEY), is_preprint))
        number = metadata.get("nct")
        node_id = f"nct:{number}" if number else f"doc:{doc_id}"
        return cls(doc_id, title, identifiers, node_id, related, tuple(_texts(metadata, citations.KEY)))


def _texts(metadata: Mapping[str, object], key: str) -> list[str]:
    listed = metadata.get(key)
    return [str(text) for text in listed] if isinstance(listed, list) else []


@dataclass(frozen=True, slots=True)
class Link:
    """A statement about two documents, in its stated direction; `said_by` is the document that names the relation."""

    source: Work
    relation: str
    target: Work
    said_by: str


def links(works: Sequence[Work]) -> Iterator[Link]:
    """The statements between `works`, each once, in the order of the documents."""
    owners: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        for identifier in work.identifiers:
            owners[identifier].append(work)
    seen: set[tuple[str, str, str]] = set()
    for link in (*_stated(works, owners), *_cited(works, owners), *_shared(owners)):
        key = (link.source.doc_id, link.relation, link.target.doc_id)
        is_twin = link.relation in (SAME_WORK, Relation.VERSION_OF.upper()) and key[::-1] in seen
        if key[0] != key[2] and key not in seen and not is_twin:
            seen.add(key)
            yield link


def _stated(works: Iterable[Work], owners: Mapping[str, Sequence[Work]]) -> Iterator[Link]:
    for work in works:
        for relation, identifier in work.related:
            for other in owners.get(identifier, ()):
                ends = (work, other) if relation in _FORWARD else (other, work)
                name = relation if relation in _FORWARD else INVERSES[relation]
                yield Link(ends[0], name.upper(), ends[1], work.doc_id)


def _cited(works: Iterable[Work], owners: Mapping[str, Sequence[Work]]) -> Iterator[Link]:
    for work in works:
        for identifier in work.cites:
            yield from (Link(work, CITES, other, work.doc_id) for other in owners.get(identifier, ()))


def _shared(owners: Mapping[str, Sequence[Work]]) -> Iterator[Link]:
    for identifier, same in sorted(owners.items()):
        if identifier.partition(":")[0] in _SHARED:
            first, *others = sorted(same, key=lambda work: work.doc_id)
            yield from (Link(first, SAME_WORK, other, other.doc_id) for other in others)


class Relations:
    """The relations between the documents of `database`; every method may run in any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def identified(self, identifier: str, tenant: str) -> list[IdentifiedDocument]:
        """The documents that say of themselves that `identifier` is theirs."""
        wanted = parse(identifier)
        found = self._works(tenant, [wanted.value]) if wanted is not None else []
        return [
            IdentifiedDocument(one.doc_id, one.node_id, one.title, one.identifier(Scheme.PMC))
            for one in found
            if str(wanted) in one.identifiers
        ]

    def neighbours(self, node_id: str, tenant: str) -> list[Neighbour]:
        """The documents that a document's node is related to, as the graph shows neighbours."""
        own = [work for work in self._works(tenant, [node_id.partition(":")[2]]) if work.node_id == node_id]
        others: dict[str, Work] = {}
        for work in own:
            named = [identifier for _, identifier in work.related]
            values = [one.partition(":")[2] for one in (*work.identifiers, *named)]
            others |= {one.doc_id: one for one in (*self._works(tenant, values), *self._owners(tenant, work.cites))}
        return [
            Neighbour(
                relation=link.relation,
                direction="out" if link.source.node_id == node_id else "in",
                documents=1,
                node_id=other.node_id,
                kind="trial" if other.node_id.startswith("nct:") else "article",
                name=other.title,
            )
            for link in links(list(others.values()))
            if node_id in (link.source.node_id, link.target.node_id)
            for other in (link.target if link.source.node_id == node_id else link.source,)
        ]

    def edges(self, tenant: str) -> list[GraphEdge]:
        """Every statement about two documents, as the graph gives out edges."""
        return [
            GraphEdge(link.source.node_id, link.relation, link.target.node_id, [link.said_by])
            for link in links(self._works(tenant, None))
        ]

    def _works(self, tenant: str, values: Sequence[str] | None) -> list[Work]:
        """The documents whose id or metadata hold one of `values`, or all."""
        query, given = _DOCUMENTS, [tenant]
        if values is not None:
            lowered = sorted({value.lower() for value in values if value})
            if not lowered:
                return []
            holds = " OR ".join("contains(lower(d.metadata), ?) OR lower(g.doc_id) = ?" for _ in lowered)
            query += f" AND ({holds})"
            given += [text for value in lowered for text in (value, value)]
        return self._read(query, given)

    def _owners(self, tenant: str, identifiers: Sequence[str]) -> list[Work]:
        """The documents whose metadata gives one of `identifiers` as its own; a bibliography may list hundreds."""
        values = sorted({one.partition(":")[2].lower() for one in identifiers})
        own = ", ".join(f"lower(json_extract_string(d.metadata, '$.{scheme}'))" for scheme in _SHARED)
        query = f"{_DOCUMENTS} AND list_has_any([{own}], ?::VARCHAR[])"
        return self._read(query, [tenant, values]) if values else []

    def _read(self, query: str, given: Sequence[Any]) -> list[Work]:
        rows = self._database.rows(f"{query} ORDER BY g.doc_id", list(given))
        return [Work.of(doc_id, title, orjson.loads(metadata or "{}")) for doc_id, title, metadata in rows]
