"""What the Graph mode shows, as rows and lines: pure functions of answers."""

from collections.abc import Collection, Sequence

from medkg_lab.lab.graph import DENIED, STATED, Around, Edge, Statement, how_sure
from medkg_lab.text import one_line
from medkg_lab.tui.formatting import plural
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import marked, wrapped
from medkg_lab.tui.widgets.table import Cell, Row

EDGES = (
    Column("RELATION", 21),
    Column("NAME", 0),
    Column("SAID", 13, wide=60),
    Column("DOCS", 4, right=True),
    Column("NODE", 28, wide=100, middle=True),
)
ALL, CONTRADICTING = "all", "contradicting"
TRAIL_NAMES = 5
_TOKENS = {STATED: "ok", DENIED: "bad", "recorded": "accent"}


def arrow(edge: Edge) -> str:
    """The relation with the direction it is read in."""
    word = edge.relation.lower().replace("_", " ")
    return f"→ {word}" if edge.direction == "out" else f"← {word}"


def edge_rows(edges: Sequence[Edge], contradicted: Collection[Edge]) -> list[Row]:
    """A row for each edge; ≠ stands before one that others contradict."""
    return [
        Row(
            edge.key,
            (
                Cell(arrow(edge), "muted"),
                Cell(edge.name, "text", "≠" if edge in contradicted else "", "warn"),
                Cell(sure := how_sure(edge.relation), _TOKENS.get(sure, "warn")),
                Cell(str(edge.documents), "muted"),
                Cell(edge.node_id, "muted"),
            ),
        )
        for edge in edges
    ]


def chosen(edges: Sequence[Edge], shown: str, contradicted: Collection[Edge], text: str) -> list[Edge]:
    """The edges of a relation (or all, or those that contradict) in which every word of `text` occurs."""
    words = text.lower().split()
    return [
        edge
        for edge in edges
        if shown == ALL or (edge in contradicted if shown == CONTRADICTING else edge.relation == shown)
        if all(word in f"{arrow(edge)} {edge.name} {edge.node_id} {how_sure(edge.relation)}".lower() for word in words)
    ]


def chips(names: Sequence[str], shown: str) -> Line:
    """What the edges can be narrowed to, the choice marked."""
    spans: list[Span] = []
    for name in names:
        word = name.lower().replace("_", " ")
        spans += [(f" {word} ", "accent bold reverse" if name == shown else "muted"), (" ", "text")]
    return spans


def trail_line(names: Sequence[str]) -> Line:
    """The way to the node, the node last."""
    kept = names[-TRAIL_NAMES:]
    spans: list[Span] = [("… › ", "muted")] if len(names) > len(kept) else []
    for name in kept[:-1]:
        spans.append((f"{_short(name)} › ", "muted"))
    return [*spans, *((name, "text bold") for name in kept[-1:])]


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"


def about(found: Around, contradicted: Collection[Edge]) -> Line:
    """What the node is, and whether documents agree about it."""
    node = found.node
    spans: list[Span] = [
        (f"{node.kind or 'node'} · {node.node_id} · in {plural(node.documents, 'document')}", "muted"),
        (f", mentioned {plural(node.mentions, 'time')}" if node.mentions else "", "muted"),
    ]
    if contradicted:
        spans += [(" · ≠ ", "warn"), (_disagreement(found.edges, contradicted), "text")]
    spans += [(f" · also called so: {', '.join(node.others[:3])}", "muted")] if node.others else []
    return spans


def _disagreement(edges: Sequence[Edge], contradicted: Collection[Edge]) -> str:
    both = sum(edge in contradicted and how_sure(edge.relation) == STATED for edge in edges)
    if any(edge.direction == "out" for edge in contradicted):
        return f"{plural(both, 'thing')} both stated and denied"
    said = [edge for edge in edges if edge.direction == "in"]
    stated = sum(edge.documents for edge in said if how_sure(edge.relation) == STATED)
    denied = sum(edge.documents for edge in said if how_sure(edge.relation) == DENIED)
    words = f"stated in {plural(stated, 'document')}, denied in {denied}"
    return words + (f", both in {both}" if both else "")


def sentences(node: str, edge: Edge, said: Sequence[Statement], width: int) -> list[Line]:
    """Every sentence that makes an edge, in its document, the mention in brackets."""
    first, last = (node, edge.name) if edge.direction == "out" else (edge.name, node)
    word = edge.relation.lower().replace("_", " ")
    lines: list[Line] = [*wrapped(f"{first} — {word} → {last}", width, "text bold")]
    places = plural(len(said), "place")
    lines.append([(f"{how_sure(edge.relation)} in {plural(edge.documents, 'document')}, {places}", "accent")])
    titled = ""
    for one in said:
        if one.doc_id != titled:
            known = one.title in (first, last)
            lines += [[], *([] if known else wrapped(one_line(one.title), width, "text bold")), [(one.doc_id, "muted")]]
            titled = one.doc_id
        where = one.chunk_id.rpartition("#")[2] if one.chunk_id else ""
        lines.append([(f"passage {where}" if where else "a field of its record", "accent")])
        lines += marked(one.evidence, [one.mention] if one.mention else [], width)
    return lines
