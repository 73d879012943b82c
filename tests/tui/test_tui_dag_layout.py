"""The drawn graph: boxes never overlap, and what the lines say is exactly the graph, for any graph."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.topology.errors import TopologyCyclic
from medkg_lab.tui.widgets.dag_layers import GraphTooDense
from medkg_lab.tui.widgets.dag_layout import (
    COMPACT,
    EAST,
    GLYPHS,
    NORTH,
    ROOMY,
    SNUG,
    SOUTH,
    WEST,
    Density,
    Layout,
    lay_out,
)

PDF = {
    "ingest": (),
    "download_pdf": ("ingest",),
    "pdf_gate": ("download_pdf",),
    "chunk": ("pdf_gate",),
    "embed": ("chunk",),
    "extract": ("chunk",),
    "index": ("embed", "ingest"),
    "kg": ("index", "extract"),
}
_BITS = {glyph: bits for bits, glyph in GLYPHS.items()}
_MOVES = {NORTH: (0, -1), EAST: (1, 0), SOUTH: (0, 1), WEST: (-1, 0)}
_BACK = {NORTH: SOUTH, SOUTH: NORTH, EAST: WEST, WEST: EAST}


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> dict[str, tuple[str, ...]]:
    """A graph of a few stages: each may depend on any before it."""
    count = draw(st.integers(1, most))
    names = [f"s{number}" for number in range(count)]
    return {
        name: tuple(draw(st.sets(st.sampled_from(names[:place]))) if place else ()) for place, name in enumerate(names)
    }


def said_by(layout: Layout, name: str) -> set[str]:
    """The stages that a reader comes to who leaves the box downwards and follows the lines, never going up."""
    cells = {(cell.x, y): _BITS[cell.glyph] for y, row in layout.rows.items() for cell in row}
    tops = {(box.port, box.y): box.name for box in layout.boxes.values()}
    box = layout.boxes[name]
    todo, seen, found = [(box.port, box.bottom, SOUTH)], set(), set()
    while todo:
        x, y, move = todo.pop()
        if (x, y) in tops and move == SOUTH:
            found.add(tops[x, y])
            continue
        if (x, y, move) in seen or (x, y) not in cells:
            continue
        seen.add((x, y, move))
        bits = cells[x, y]
        crosses = move in (EAST, WEST) and bits == NORTH | SOUTH
        ways = move if crosses else bits & ~_BACK[move] & ~NORTH if bits & _BACK[move] else 0
        for way, (dx, dy) in _MOVES.items():
            if ways & way:
                todo.append((x + dx, y + dy, way))
    return found


def expect_true(layout: Layout, graph: dict[str, tuple[str, ...]]) -> None:
    """The picture shows every stage once, apart from the others, and says exactly which stage follows which."""
    assert set(layout.boxes) == set(graph) == {name for row in layout.layers for name in row}
    for one, other in combinations(layout.boxes.values(), 2):
        assert one.right <= other.x or other.right <= one.x or one.bottom <= other.y or other.bottom <= one.y
    for y, row in layout.rows.items():
        assert all(left.x < right.x for left, right in pairwise(row))
        assert not [cell for cell in row if layout.at(cell.x, y)]
        assert 0 <= row[0].x <= row[-1].x < layout.width
        assert y < layout.height
    for name in graph:
        assert said_by(layout, name) == {other for other, needs in graph.items() if name in needs}


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), density=st.sampled_from([ROOMY, SNUG, COMPACT]))
def test_the_picture_says_exactly_the_graph(graph: dict[str, tuple[str, ...]], density: Density) -> None:
    layout = lay_out(graph, density)
    expect_true(layout, graph)
    drawn = {edge for row in layout.rows.values() for cell in row for edge in cell.edges}
    touching = {(one, other) for one, other in layout.edges if layout.boxes[one].bottom == layout.boxes[other].y}
    assert drawn | touching == layout.edges == {(other, name) for name, needs in graph.items() for other in needs}


@settings(max_examples=50, deadline=None)
@given(graph=graphs())
def test_every_dependency_points_down(graph: dict[str, tuple[str, ...]]) -> None:
    boxes = lay_out(graph, COMPACT).boxes
    assert all(boxes[other].bottom <= boxes[name].y for name, needs in graph.items() for other in needs)


@settings(max_examples=30, deadline=None)
@given(graph=graphs())
def test_the_same_graph_is_drawn_the_same_way(graph: dict[str, tuple[str, ...]]) -> None:
    assert lay_out(graph, ROOMY) == lay_out(dict(graph), ROOMY)


def test_the_trunk_of_a_pipeline_is_straight_and_nothing_crosses() -> None:
    layout = lay_out(PDF, ROOMY)
    expect_true(layout, PDF)
    trunk = [layout.boxes[name].port for name in ("ingest", "download_pdf", "pdf_gate", "chunk")]
    assert len(set(trunk)) == 1
    assert layout.boxes["embed"].port == layout.boxes["index"].port == layout.boxes["kg"].port
    assert layout.layers[4] == ("embed", "extract")
    assert layout.width <= 66


def test_neighbours_follow_edges_and_layers() -> None:
    layout = lay_out(PDF, ROOMY)
    assert layout.neighbour("ingest", 0, 1) == "download_pdf"
    assert layout.neighbour("kg", 0, -1) == "index"
    assert layout.neighbour("embed", 1, 0) == "extract"
    assert layout.neighbour("extract", 1, 0) == "extract"
    assert layout.neighbour("ingest", 0, -1) == "ingest"


def test_a_dependency_on_what_is_no_stage_is_left_out() -> None:
    assert lay_out({"a": ("gone",), "b": ("a",)}, COMPACT).edges == {("a", "b")}


def test_a_circle_and_a_thicket_are_refused() -> None:
    with pytest.raises(TopologyCyclic):
        lay_out({"a": ("b",), "b": ("a",)}, ROOMY)
    names = [f"s{number}" for number in range(60)]
    with pytest.raises(GraphTooDense):
        lay_out({name: tuple(names[:place]) for place, name in enumerate(names)}, ROOMY)


def test_boxes_of_a_chain_may_touch_where_there_is_little_room() -> None:
    chain = {"a": (), "b": ("a",), "c": ("b",)}
    assert [lay_out(chain, density).height for density in (ROOMY, SNUG, COMPACT)] == [11, 9, 5]
    expect_true(lay_out(PDF, SNUG), PDF)
