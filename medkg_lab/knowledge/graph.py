"""Questions to the graph: nodes, neighbours, paths, and which passages say so. All see published statements of one tenant."""

from collections.abc import Sequence

from medkg_lab.knowledge.answers import (
    Connection,
    EdgeEvidence,
    FoundNode,
    GraphEdge,
    GraphExport,
    GraphPath,
    MentioningPassage,
    NamedNode,
    Neighbour,
    Neighbours,
    Node,
    PathEdge,
    Statement,
)
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.errors import NodeNotFound

MAX_HOPS = 8
"""The longest path that may be asked for: beyond it a medical graph connects everything with everything."""
_OTHERS = 10

_EDGES = """
SELECT e.* FROM edge e JOIN generation g ON g.id = e.generation WHERE g.state = 'published' AND g.tenant = ?
"""
_NODES = """
SELECT n.node_id, min(n.kind) AS kind, min(n.name) AS name, count(DISTINCT g.doc_id) AS documents
FROM node n JOIN generation g ON g.id = n.generation WHERE g.state = 'published' AND g.tenant = ?
"""
_CALLED = "(n.generation, n.node_id) IN (SELECT generation, node_id FROM mention WHERE lower(text) = lower(?))"


class Graph:
    """The graph of `database`; every method may run in any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def node(self, text: str, tenant: str) -> FoundNode:
        """The node with this id, or with this name, and other candidates. Raises NodeNotFound.

        A name is a node's own, then what a document calls it, then the beginning of its own, without regard to case. Among
        several with the name the one that most documents mention is taken.
        """
        candidates = self._candidates(text, tenant)
        if not candidates:
            raise NodeNotFound(text=text)
        mentions = self._database.rows(
            """SELECT count(*) FROM mention m JOIN generation g ON g.id = m.generation
            WHERE g.state = 'published' AND g.tenant = ? AND m.node_id = ?""",
            [tenant, candidates[0].node_id],
        )
        first, *others = candidates
        return FoundNode(first.node_id, first.kind, first.name, first.documents, mentions[0][0], others)

    def _candidates(self, text: str, tenant: str) -> list[Node]:
        for condition, value in (
            ("n.node_id = ?", text),
            ("lower(n.name) = lower(?)", text),
            (_CALLED, text),
            ("starts_with(lower(n.name), lower(?))", text),
        ):
            query = f"{_NODES} AND {condition} GROUP BY n.node_id ORDER BY documents DESC, name, n.node_id LIMIT ?"
            found = self._database.rows(query, [tenant, value, _OTHERS + 1])
            if found:
                return [Node(*row) for row in found]
        return []

    def neighbours(self, text: str, limit: int, tenant: str) -> Neighbours:
        """The statements about a node, those of most documents first; `direction` is `out` when the node is the source."""
        node = self.node(text, tenant)
        query = f"""
            WITH e AS ({_EDGES})
            SELECT relation, 'out' AS direction, target AS other, count(DISTINCT doc_id) AS documents
            FROM e WHERE source = ? GROUP BY ALL
            UNION ALL
            SELECT relation, 'in', source, count(DISTINCT doc_id) FROM e WHERE target = ? AND source <> target GROUP BY ALL
            ORDER BY documents DESC, relation, other, direction LIMIT ?"""
        found = self._database.rows(query, [tenant, node.node_id, node.node_id, limit])
        named = self._named([row[2] for row in found], tenant)
        around = [
            Neighbour(relation, direction, documents, other, named[other].kind, named[other].name)
            for relation, direction, other, documents in found
        ]
        return Neighbours(node, around)

    def _named(self, node_ids: Sequence[str], tenant: str) -> dict[str, NamedNode]:
        """Id, kind and name of nodes; a node that only edges speak of is named by its id."""
        query = f"{_NODES} AND n.node_id IN (SELECT unnest(?::VARCHAR[])) GROUP BY n.node_id"
        named = {node_id: NamedNode(node_id, "", node_id) for node_id in node_ids}
        for node_id, kind, name, _ in self._database.rows(query, [tenant, list(named)]):
            named[node_id] = NamedNode(node_id, kind, name)
        return named

    def path(self, source: str, target: str, max_hops: int, tenant: str) -> GraphPath:
        """A shortest chain of statements between two nodes, in either direction each; `hops` is None when there is none.

        Breadth first, at most `max_hops` statements long; of equals the first by node id.
        """
        start, end = self.node(source, tenant).node_id, self.node(target, tenant).node_id
        came_from: dict[str, tuple[str, str, str] | None] = {start: None}
        frontier = [start]
        for _ in range(max_hops):
            if end in came_from or not frontier:
                break
            frontier = self._spread(frontier, came_from, tenant)
        steps = _walk_back(came_from, end)
        nodes = [start, *(_other(step, at) for step, at in steps)] if steps is not None else []
        named = self._named([start, end, *nodes], tenant)
        return GraphPath(
            source=named[start],
            target=named[end],
            hops=None if steps is None else len(steps),
            nodes=[named[node] for node in nodes],
            edges=[self._edge(step, tenant) for step, _ in steps or ()],
        )

    def _spread(
        self, frontier: Sequence[str], came_from: dict[str, tuple[str, str, str] | None], tenant: str
    ) -> list[str]:
        """One step further: note by which statement each new node was reached, and return the new nodes."""
        query = f"""
            WITH e AS ({_EDGES}), f AS (SELECT unnest(?::VARCHAR[]) AS id)
            SELECT DISTINCT e.target AS reached, e.source, e.relation, e.target FROM e JOIN f ON e.source = f.id
            UNION
            SELECT DISTINCT e.source, e.source, e.relation, e.target FROM e JOIN f ON e.target = f.id
            ORDER BY ALL"""
        reached: list[str] = []
        for node, *statement in self._database.rows(query, [tenant, list(frontier)]):
            if node not in came_from:
                came_from[node] = (statement[0], statement[1], statement[2])
                reached.append(node)
        return reached

    def _edge(self, statement: tuple[str, str, str], tenant: str) -> PathEdge:
        query = f"WITH e AS ({_EDGES}) SELECT DISTINCT doc_id FROM e WHERE source = ? AND relation = ? AND target = ? ORDER BY 1"
        documents = [row[0] for row in self._database.rows(query, [tenant, *statement])]
        return PathEdge(*statement, documents)

    def why(self, source: str, target: str, tenant: str) -> Connection:
        """The statements between two nodes, in either direction, and the passages that mention both, with where they stand."""
        one, other = self.node(source, tenant), self.node(target, tenant)
        pair = [one.node_id, other.node_id]
        statements = self._database.rows(
            f"""WITH e AS ({_EDGES})
            SELECT DISTINCT e.source, e.relation, e.target, e.doc_id, d.title, e.chunk_id,
                e.start_at, e.end_at, e.evidence, e.rule, c.text
            FROM e LEFT JOIN document d ON d.generation = e.generation
            LEFT JOIN chunk c ON c.generation = e.generation AND c.chunk_id = e.chunk_id
            WHERE (e.source = ? AND e.target = ?) OR (e.source = ? AND e.target = ?) ORDER BY ALL""",
            [tenant, *pair, *reversed(pair)],
        )
        return Connection(one, other, [Statement(*row) for row in statements], self._together(pair, tenant))

    def _together(self, pair: Sequence[str], tenant: str) -> list[MentioningPassage]:
        rows = self._database.rows(
            """SELECT DISTINCT g.doc_id, d.title, a.chunk_id, c.text
            FROM mention a JOIN mention b ON b.generation = a.generation AND b.chunk_id = a.chunk_id
            JOIN generation g ON g.id = a.generation LEFT JOIN document d ON d.generation = a.generation
            LEFT JOIN chunk c ON c.generation = a.generation AND c.chunk_id = a.chunk_id
            WHERE g.state = 'published' AND g.tenant = ? AND a.node_id = ? AND b.node_id = ? ORDER BY ALL""",
            [tenant, *pair],
        )
        return [MentioningPassage(*row) for row in rows]

    def export(self, limit: int, tenant: str) -> GraphExport:
        """The whole graph: nodes, and distinct statements with the documents and passages that make them.

        `truncated` says that there are more than `limit` of either."""
        nodes = self._database.rows(f"{_NODES} GROUP BY n.node_id ORDER BY n.node_id LIMIT ?", [tenant, limit + 1])
        edges = self._database.rows(
            f"""WITH e AS ({_EDGES})
            SELECT source, relation, target, list_sort(list(DISTINCT doc_id)), list_sort(list(DISTINCT {{
                'doc_id': doc_id, 'chunk_id': chunk_id, 'start': start_at, 'end': end_at, 'text': evidence, 'rule': rule}}))
            FROM e GROUP BY source, relation, target ORDER BY source, relation, target LIMIT ?""",
            [tenant, limit + 1],
        )
        stated = [
            GraphEdge(source, relation, target, documents, [EdgeEvidence(**one) for one in evidence])
            for source, relation, target, documents, evidence in edges[:limit]
        ]
        return GraphExport([Node(*row) for row in nodes[:limit]], stated, max(len(nodes), len(edges)) > limit)


def _walk_back(
    came_from: dict[str, tuple[str, str, str] | None], end: str
) -> list[tuple[tuple[str, str, str], str]] | None:
    """The statements from the start to `end`, each with the node it was followed from; None when `end` was not reached."""
    if end not in came_from:
        return None
    steps: list[tuple[tuple[str, str, str], str]] = []
    at = end
    while (statement := came_from[at]) is not None:
        at = _other(statement, at)
        steps.append((statement, at))
    return steps[::-1]


def _other(statement: tuple[str, str, str], node: str) -> str:
    return statement[0] if statement[2] == node else statement[2]
