"""How lines run between two layers of boxes: over which rows of the channel.

What makes a picture say something false is avoided by who owns a row: in the upper half each level line belongs to one upper
end and leads only to what follows it, in the lower half to one lower end. A line that would meet another's there, or that forks
and joins at once, changes halves in a column of its own.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from medkg_lab.tui.widgets.dag_layers import Edge


@dataclass(frozen=True)
class Link:
    """The part of an edge between two neighbouring layers: its columns above and below."""

    edge: Edge
    upper: int
    lower: int


@dataclass(frozen=True)
class Bend:
    """A level piece of a link's line from column `start` to column `end`, in row `row` of the channel."""

    link: Link
    start: int
    end: int
    row: int


@dataclass(frozen=True)
class Channel:
    """The bends of all links from the top, and the number of rows that they take."""

    bends: tuple[Bend, ...]
    height: int


def route(links: Sequence[Link]) -> Channel:
    """Route the links of one channel."""
    out, into = Counter(link.upper for link in links), Counter(link.lower for link in links)
    taken = {*out, *into}
    above: list[tuple[Link, int, int]] = []
    below: list[tuple[Link, int, int]] = []
    for link in links:
        if link.upper == link.lower:
            continue
        if into[link.lower] == 1 and link.lower not in out:
            above.append((link, link.upper, link.lower))
        elif out[link.upper] == 1 and link.upper not in into:
            below.append((link, link.upper, link.lower))
        else:
            middle = (link.upper + link.lower) // 2
            own = next(x for away in count() for x in (middle - away, middle + away) if x >= 0 and x not in taken)
            taken.add(own)
            above.append((link, link.upper, own))
            below.append((link, own, link.lower))
    upper = _rows([(start, end) for _, start, end in above], owner=0)
    lower = _rows([(start, end) for _, start, end in below], owner=1)
    height = max(upper, default=-1) + 1
    bends = [Bend(*one, row) for one, row in zip(above, upper, strict=True)]
    bends += [Bend(*one, height + row) for one, row in zip(below, lower, strict=True)]
    return Channel(tuple(bends), height + max(lower, default=-1) + 1)


def _rows(pieces: Sequence[tuple[int, int]], owner: int) -> list[int]:
    """A row for each piece: those with the same owner, which is one of its ends, share one, others only if they do not meet."""
    spans: dict[int, tuple[int, int]] = {}
    for piece in pieces:
        left, right = spans.get(piece[owner], piece)
        spans[piece[owner]] = min(left, *piece), max(right, *piece)
    rows: list[list[tuple[int, int]]] = []
    row_of: dict[int, int] = {}
    for one, (left, right) in sorted(spans.items(), key=lambda span: span[1][1] - span[1][0]):
        number = next(
            (n for n, row in enumerate(rows) if all(right < low or high < left for low, high in row)), len(rows)
        )
        if number == len(rows):
            rows.append([])
        rows[number].append((left, right))
        row_of[one] = number
    return [row_of[piece[owner]] for piece in pieces]
