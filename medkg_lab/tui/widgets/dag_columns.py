"""The column of every knot of a layered graph: stages that follow each other stand below each other, lanes run straight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

from medkg_lab.tui.widgets.dag_layers import Edge, Knot, Lane, Layers

_SWEEPS = 120
_YIELDING = 0.01
"""The weight of a lane where it collides: it gives way to a stage."""


@dataclass(frozen=True)
class Sizes:
    """How wide a stage is, where in it its lines are, and the least room between two knots; a lane is one cell wide."""

    width: int
    port: int
    gap: int

    def before(self, knot: Knot) -> int:
        """Cells of `knot` left of its column."""
        return 0 if isinstance(knot, Lane) else self.port

    def after(self, knot: Knot) -> int:
        """Cells of `knot` from its column on."""
        return 1 if isinstance(knot, Lane) else self.width - self.port

    def apart(self, left: Knot, right: Knot) -> int:
        """The least distance between the columns of two neighbours."""
        return self.after(left) + self.gap + self.before(right)


def columns(made: Layers, sizes: Sizes) -> dict[Knot, int]:
    """The column of each knot's lines, from 0.

    Minimises the weighted squares of the horizontal distances along links, one layer at a time: with order and least distances
    kept, that is an isotonic regression, solved exactly by pooling adjacent violators.
    """
    near = _neighbours(made)
    at: dict[Knot, float] = {}
    for row in made.knots:
        at.update(_packed(row, sizes))
    for sweep in range(_SWEEPS):
        before = dict(at)
        for row in made.knots if sweep % 2 == 0 else made.knots[::-1]:
            _place(row, sizes, near, at)
        if max((abs(at[knot] - before[knot]) for knot in at), default=0.0) < 0.01:
            break
    whole = _rounded(made, sizes, at)
    _straighten(made, sizes, whole)
    left = min((x - sizes.before(knot) for knot, x in whole.items()), default=0)
    return {knot: x - left for knot, x in whole.items()}


def _neighbours(made: Layers) -> dict[Knot, list[tuple[Knot, float]]]:
    near: dict[Knot, list[tuple[Knot, float]]] = {knot: [] for row in made.knots for knot in row}
    for link in made.links:
        near[link.upper].append((link.lower, _pull(link.upper, link.lower)))
        near[link.lower].append((link.upper, _pull(link.lower, link.upper)))
    return near


def _pull(knot: Knot, other: Knot) -> float:
    """How strongly `other` draws `knot`: the trunk of stages stays straight, and lanes bend."""
    if not isinstance(knot, Lane):
        return 0.002 if isinstance(other, Lane) else 4.0
    if isinstance(other, Lane):
        return 8.0
    return 0.05 if other == knot.edge[0] else 0.005


def _packed(row: Sequence[Knot], sizes: Sizes) -> dict[Knot, float]:
    shifts = _shifts(row, sizes)
    return {knot: float(shift) for knot, shift in zip(row, shifts, strict=True)}


def _shifts(row: Sequence[Knot], sizes: Sizes) -> list[int]:
    """How far right of the row's first column each knot is at least."""
    shifts = [0] * len(row)
    for place in range(1, len(row)):
        shifts[place] = shifts[place - 1] + sizes.apart(row[place - 1], row[place])
    return shifts


def _place(
    row: Sequence[Knot],
    sizes: Sizes,
    near: Mapping[Knot, Sequence[tuple[Knot, float]]],
    at: dict[Knot, float],
) -> None:
    """Put a layer where its neighbours draw it."""
    shifts = _shifts(row, sizes)
    pools: list[tuple[float, float, int]] = []
    for knot, shift in zip(row, shifts, strict=True):
        drawn = near[knot] or [(knot, 1.0)]
        pull = sum(weight for _, weight in drawn)
        wanted = sum(at[other] * weight for other, weight in drawn) / pull - shift
        pools.append((wanted, _YIELDING if isinstance(knot, Lane) else pull, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (one, heavy, count), (other, light, more) = pools[-2], pools[-1]
            weight = heavy + light
            pools[-2:] = [((one * heavy + other * light) / weight, weight, count + more)]
    flat = [value for value, _, count in pools for _ in range(count)]
    for knot, value, shift in zip(row, flat, shifts, strict=True):
        at[knot] = value + shift


def _rounded(made: Layers, sizes: Sizes, at: Mapping[Knot, float]) -> dict[Knot, int]:
    whole: dict[Knot, int] = {}
    for row in made.knots:
        for place, knot in enumerate(row):
            whole[knot] = floor(at[knot] + 0.5)
            if place:
                whole[knot] = max(whole[knot], whole[row[place - 1]] + sizes.apart(row[place - 1], knot))
    return whole


def _straighten(made: Layers, sizes: Sizes, at: dict[Knot, int]) -> None:
    """Give a long edge one column for all its lanes where one is free, that of its source first."""
    lanes: dict[Edge, list[tuple[Lane, int]]] = {}
    for row in made.knots:
        for place, knot in enumerate(row):
            if isinstance(knot, Lane):
                lanes.setdefault(knot.edge, []).append((knot, place))
    for edge, run in lanes.items():
        room = [_room(made.knots[lane.layer], place, sizes, at) for lane, place in run]
        wishes = [at[edge[0]], at[edge[1]], *sorted({at[lane] for lane, _ in run})]
        for column in wishes:
            if all(low <= column <= high for low, high in room):
                at.update({lane: column for lane, _ in run})
                break


def _room(row: Sequence[Knot], place: int, sizes: Sizes, at: Mapping[Knot, int]) -> tuple[float, float]:
    """The columns that a lane may have between its neighbours, with one free cell on either side."""
    left, right = row[place - 1] if place else None, row[place + 1] if place + 1 < len(row) else None
    low = at[left] + sizes.after(left) + 1 if left is not None else float("-inf")
    high = at[right] - sizes.before(right) - 2 if right is not None else float("inf")
    return low, high
