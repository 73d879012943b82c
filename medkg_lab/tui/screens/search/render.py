"""What the Search mode shows, as rows and lines: pure functions of answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medkg_lab.knowledge.answers import Hit
from medkg_lab.lab.graph import Around
from medkg_lab.text import one_line
from medkg_lab.tui.formatting import plural
from medkg_lab.tui.screens.graph.render import arrow
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import marked, wrapped
from medkg_lab.tui.widgets.table import Cell, Row

RETRIEVERS = ("bm25", "dense", "sparse")
HITS = (
    Column("#", 3, right=True),
    Column("SCORE", 6, right=True),
    Column("BM25", 4, right=True, wide=50),
    Column("DENSE", 5, right=True, wide=50),
    Column("SPARSE", 6, right=True, wide=96),
    Column("TITLE", 0),
    Column("DOCUMENT", 34, wide=88, middle=True),
)
CONTEXT = 240
"""Characters of the passages before and after that are shown."""


@dataclass(frozen=True)
class Mix:
    """How legs are fused: a name for the person, the fusion and weights that the knowledge process is given."""

    name: str
    fusion: str | None = None
    weights: Mapping[str, float] | None = None


MIXES = (
    Mix("default fusion"),
    Mix("by rank (RRF), all retrievers", "rrf", {"bm25": 1, "dense": 1, "sparse": 1}),
    Mix("by score (min-max), all retrievers", "weighted", {"bm25": 1, "dense": 1, "sparse": 1}),
    Mix("words only (BM25)", "rrf", {"bm25": 1, "dense": 0, "sparse": 0}),
    Mix("meaning only (vectors)", "rrf", {"bm25": 0, "dense": 1, "sparse": 0}),
)


def hit_rows(hits: Sequence[Hit]) -> list[Row]:
    """The hits with their rank in each leg; – where a leg did not find it."""
    return [
        Row(
            hit.chunk_id,
            (
                Cell(str(number), "muted"),
                Cell(f"{hit.score:.3f}", "text"),
                *(
                    Cell(str(hit.ranks.get(leg) or "–"), "accent" if hit.ranks.get(leg) else "muted")
                    for leg in RETRIEVERS
                ),
                Cell(hit.title, "text"),
                Cell(hit.doc_id, "muted"),
            ),
        )
        for number, hit in enumerate(hits, 1)
    ]


def retriever_spans(legs: Mapping[str, str]) -> list[Span]:
    """Which legs took part, and why one did not."""
    spans: list[Span] = []
    for leg, state in legs.items():
        is_on = state == "on"
        spans += [
            ("  ", "text"),
            ("✓ " if is_on else "– ", "ok" if is_on else "muted"),
            (leg, "text" if is_on else "muted"),
        ]
        spans += [] if is_on else [(f" {state}", "muted")]
    return spans


def mark_words(hit: Hit) -> list[str]:
    """The words of a hit's snippet that the query found, without those that say nothing."""
    found = [hit.snippet[start:end] for start, end in hit.marks]
    return sorted({word for word in found if len(word) > 2 or word.isdigit()})


def passage(hit: Hit, before: str, after: str, width: int) -> list[Line]:
    """A passage between the end of the one before and the beginning of the one after."""
    where = " › ".join(hit.section) or "the beginning"
    page = f" · page {hit.page}" if hit.page else ""
    lines: list[Line] = [*wrapped(hit.title, width, "text bold"), [(f"{where}{page}", "accent")], []]
    if before:
        lines += [*wrapped(f"… {one_line(before)[-CONTEXT:]}", width, "muted"), []]
    lines += marked(hit.text, mark_words(hit), width)
    if after:
        lines += [[], *wrapped(f"{one_line(after)[:CONTEXT]} …", width, "muted")]
    scores = " · ".join(f"{leg} {value:.3f}" for leg, value in hit.scores.items() if value is not None)
    return [*lines, [], [(f"{hit.chunk_id} · {scores}", "muted")]]


def around(found: Around) -> tuple[str, list[Line]]:
    """The statements about a node: a title, and a line for each."""
    lines: list[Line] = [
        [
            (f"{arrow(edge).ljust(20)} ", "muted"),
            (edge.name, "text"),
            (f"  {plural(edge.documents, 'document')}", "muted"),
        ]
        for edge in found.edges
    ]
    title = f"{found.node.name} · {plural(found.node.documents, 'document')}"
    return title, lines or [[("Nothing is said about it yet.", "muted")]]
