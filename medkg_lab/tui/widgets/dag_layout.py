"""A graph of stages as boxes and lines on character cells: where everything stands. Knows nothing of state or colour.

Lines are orthogonal. Each box has one column where all its lines enter and leave, so that a chain is a straight line. A line
that bends does so on a track of the channel between two layers; tracks are shared, and lines joined, only where the picture
then still says exactly which stage follows which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from medkg_lab.topology.graph import Graph
from medkg_lab.tui.widgets.dag_columns import Sizes, columns
from medkg_lab.tui.widgets.dag_layers import Edge, Knot, Lane, Layers, Link, layers
from medkg_lab.tui.widgets.dag_routes import Bend, bends, tracks

NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
_UPRIGHT, _LEVEL = NORTH | SOUTH, EAST | WEST
GLYPHS = {
    _UPRIGHT: "│",
    _LEVEL: "─",
    NORTH | EAST: "╰",
    NORTH | WEST: "╯",
    SOUTH | EAST: "╭",
    SOUTH | WEST: "╮",
    _UPRIGHT | EAST: "├",
    _UPRIGHT | WEST: "┤",
    _LEVEL | SOUTH: "┬",
    _LEVEL | NORTH: "┴",
    _UPRIGHT | _LEVEL: "┼",
}


@dataclass(frozen=True)
class Density:
    """How much room a stage takes, in cells; `port` is the column of its lines, from its left.

    `channel` is the least number of rows between two layers.
    """

    width: int
    height: int
    gap: int
    port: int
    channel: int = 1


ROOMY = Density(width=28, height=3, gap=4, port=17)
SNUG = Density(width=28, height=3, gap=4, port=17, channel=0)
"""Boxes that touch where nothing but straight lines lies between them."""
COMPACT = Density(width=32, height=1, gap=2, port=0)


@dataclass(frozen=True)
class Box:
    """Where a stage stands: its upper left cell, its size, and the column where its lines enter and leave."""

    name: str
    x: int
    y: int
    width: int
    height: int
    port: int

    @property
    def right(self) -> int:
        """The first column right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.y + self.height


@dataclass(frozen=True)
class Cell:
    """A piece of line: its character, and the edges that it belongs to."""

    x: int
    glyph: str
    edges: frozenset[Edge]


@dataclass(frozen=True)
class Layout:
    """Boxes by stage, in the order of layers from left to right, and the line cells of each row by column."""

    density: Density
    boxes: Mapping[str, Box]
    rows: Mapping[int, tuple[Cell, ...]]
    layers: tuple[tuple[str, ...], ...]
    edges: frozenset[Edge]
    width: int
    height: int

    def at(self, x: int, y: int) -> str | None:
        """The stage whose box covers the cell."""
        found = (box.name for box in self.boxes.values() if box.x <= x < box.right and box.y <= y < box.bottom)
        return next(found, None)

    @cached_property
    def entered(self) -> frozenset[str]:
        """The stages that a line enters."""
        return frozenset(lower for _, lower in self.edges)

    @cached_property
    def left(self) -> frozenset[str]:
        """The stages that a line leaves."""
        return frozenset(upper for upper, _ in self.edges)

    def neighbour(self, name: str, dx: int, dy: int) -> str:
        """The stage next to `name`: within its layer for `dx`, along an edge for `dy`; `name` itself at the end."""
        if dx:
            row = next(row for row in self.layers if name in row)
            return row[min(len(row) - 1, max(0, row.index(name) + dx))]
        linked = [lower for upper, lower in self.edges if upper == name] if dy > 0 else []
        linked += [upper for upper, lower in self.edges if lower == name] if dy < 0 else []
        here = self.boxes[name]
        return min(linked, key=lambda other: self._distance(here, self.boxes[other]), default=name)

    @staticmethod
    def _distance(one: Box, other: Box) -> tuple[int, int, str]:
        return abs(one.y - other.y), abs(one.x - other.x), other.name


def lay_out(graph: Graph, density: Density) -> Layout:
    """Lay out `graph`, the dependencies of each stage by name. Raises TopologyCyclic and GraphTooDense."""
    made = layers(graph)
    sizes = Sizes(density.width, density.port, density.gap)
    at = columns(made, sizes)
    drawing = _Drawing(density, at)
    for number, row in enumerate(made.knots):
        drawing.add_layer(row)
        drawing.add_channel(_channel(made, number))
    boxes = drawing.boxes
    names = tuple(tuple(knot for knot in row if isinstance(knot, str)) for row in made.knots)
    edges = frozenset(link.edge for link in made.links)
    rows = drawing.rows()
    right = max((cell.x + 1 for row in rows.values() for cell in row), default=0)
    width = max([right, *(box.right for box in boxes.values())])
    return Layout(density, boxes, rows, names, edges, width, drawing.y)


def _channel(made: Layers, number: int) -> list[Link]:
    here = set(made.knots[number])
    return [link for link in made.links if link.upper in here]


class _Drawing:
    """Line pieces and boxes as they are added from the top."""

    def __init__(self, density: Density, at: Mapping[Knot, int]) -> None:
        self.y = 0
        self.boxes: dict[str, Box] = {}
        self._density = density
        self._at = at
        self._pieces: dict[tuple[int, int], list[tuple[int, Edge]]] = {}

    def add_layer(self, row: Sequence[Knot]) -> None:
        """Draw the boxes of a layer and the lanes that pass them."""
        density = self._density
        for knot in row:
            x = self._at[knot]
            if isinstance(knot, Lane):
                self._upright(x, self.y, self.y + density.height, knot.edge)
            else:
                self.boxes[knot] = Box(knot, x - density.port, self.y, density.width, density.height, x)
        self.y += density.height

    def add_channel(self, links: Sequence[Link]) -> None:
        """Draw the lines between a layer and the next; after the last layer there are none, and no row for them."""
        if not links:
            return
        plan = bends(links, self._at)
        taken = tracks(plan)
        height = max(self._density.channel, 1 + max(taken.values(), default=-1))
        for link in links:
            self._line(link, [bend for bend in plan if bend.link == link], taken, height)
        self.y += height

    def _line(self, link: Link, parts: Sequence[Bend], taken: Mapping[Bend, int], height: int) -> None:
        row = self.y
        for bend in parts:
            turn = self.y + taken[bend]
            self._upright(bend.start, row, turn, link.edge)
            self._level(bend, turn, link.edge)
            row = turn + 1
        self._upright(self._at[link.lower], row, self.y + height, link.edge)

    def _upright(self, x: int, top: int, bottom: int, edge: Edge) -> None:
        for y in range(top, bottom):
            self._pieces.setdefault((y, x), []).append((_UPRIGHT, edge))

    def _level(self, bend: Bend, y: int, edge: Edge) -> None:
        rightward = bend.end > bend.start
        step = 1 if rightward else -1
        self._pieces.setdefault((y, bend.start), []).append((NORTH | (EAST if rightward else WEST), edge))
        for x in range(bend.start + step, bend.end, step):
            self._pieces.setdefault((y, x), []).append((_LEVEL, edge))
        self._pieces.setdefault((y, bend.end), []).append((SOUTH | (WEST if rightward else EAST), edge))

    def rows(self) -> dict[int, tuple[Cell, ...]]:
        """The finished cells of each row that has some."""
        rows: dict[int, list[Cell]] = {}
        for (y, x), pieces in sorted(self._pieces.items()):
            rows.setdefault(y, []).append(_joined(x, pieces))
        return {y: tuple(cells) for y, cells in rows.items()}


def _joined(x: int, pieces: Sequence[tuple[int, Edge]]) -> Cell:
    """One cell of all the pieces in it: where lines only cross, the upright one passes over the level one."""
    kinds = {bits for bits, _ in pieces}
    if kinds == {_UPRIGHT, _LEVEL}:
        pieces = [piece for piece in pieces if piece[0] == _UPRIGHT]
    bits = 0
    for piece, _ in pieces:
        bits |= piece
    return Cell(x, GLYPHS[bits], frozenset(edge for _, edge in pieces))
