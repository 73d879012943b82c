"""A graph of stages as boxes and lines on character cells: where everything stands. Knows nothing of state or colour.

Lines are orthogonal. Each box has one column where all its lines enter and leave, so that a chain is a straight line. It is
made for graphs of some thirty stages: layers, slots in them, and rows between them, each found in one pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from medkg_lab.topology.graph import Graph
from medkg_lab.tui.widgets.dag_layers import Edge, Layers, lanes, layers
from medkg_lab.tui.widgets.dag_routes import Bend, Link, route

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
    left = {name: slot * (density.width + density.gap) for name, slot in made.slots.items()}
    ports = {name: x + density.port for name, x in left.items()}
    taken = [[range(left[name] - 1, left[name] + density.width + 1) for name in row] for row in made.rows]
    passing = lanes(made, ports, taken)
    drawing = _Drawing(density)
    for number, row in enumerate(made.rows):
        drawing.add_layer([(name, left[name]) for name in row], _passed(made, passing, number))
        drawing.add_channel(_links(made, ports, passing, number))
    rows = drawing.rows()
    right = max((cell.x + 1 for row in rows.values() for cell in row), default=0)
    width = max([right, *(box.right for box in drawing.boxes.values())])
    return Layout(density, drawing.boxes, rows, made.rows, frozenset(made.edges), width, drawing.y)


def _passed(made: Layers, passing: Mapping[Edge, int], layer: int) -> dict[Edge, int]:
    """The edges that pass a layer, each with its column."""
    rank = made.rank()
    return {edge: x for edge, x in passing.items() if rank[edge[0]] < layer < rank[edge[1]]}


def _links(made: Layers, ports: Mapping[str, int], passing: Mapping[Edge, int], layer: int) -> list[Link]:
    """What runs between a layer and the next."""
    rank = made.rank()
    return [
        Link(
            (upper, lower),
            ports[upper] if rank[upper] == layer else passing[upper, lower],
            ports[lower] if rank[lower] == layer + 1 else passing[upper, lower],
        )
        for upper, lower in made.edges
        if rank[upper] <= layer < rank[lower]
    ]


class _Drawing:
    """Line pieces and boxes as they are added from the top."""

    def __init__(self, density: Density) -> None:
        self.y = 0
        self.boxes: dict[str, Box] = {}
        self._density = density
        self._pieces: dict[tuple[int, int], list[tuple[int, Edge]]] = {}

    def add_layer(self, row: Sequence[tuple[str, int]], passed: Mapping[Edge, int]) -> None:
        """Draw the boxes of a layer and the lines that pass them."""
        density = self._density
        for name, x in row:
            self.boxes[name] = Box(name, x, self.y, density.width, density.height, x + density.port)
        for edge, x in passed.items():
            self._upright(x, self.y, self.y + density.height, edge)
        self.y += density.height

    def add_channel(self, links: Sequence[Link]) -> None:
        """Draw the lines between a layer and the next; after the last layer there are none, and no row for them."""
        if not links:
            return
        channel = route(links)
        height = max(self._density.channel, channel.height)
        for link in links:
            row = 0
            for bend in (bend for bend in channel.bends if bend.link == link):
                self._upright(bend.start, self.y + row, self.y + bend.row, link.edge)
                self._level(bend, self.y + bend.row, link.edge)
                row = bend.row + 1
            self._upright(link.lower, self.y + row, self.y + height, link.edge)
        self.y += height

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
