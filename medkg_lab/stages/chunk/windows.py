"""How units (sentences, table rows) are gathered into passages: pure arithmetic on ranges."""

from collections.abc import Callable, Sequence

from medkg_lab.stages.chunk.tokens import Range

Window = tuple[int, int]
"""Numbers of the first unit and of the one after the last."""


def gather(
    units: Sequence[Range], count: Callable[[int, int], int], *, length: int, overlap: int, threshold: int, limit: int
) -> list[Window]:
    """Windows over `units` of at most `length` units and `limit` tokens, each sharing up to `overlap` units with the one before.

    A unit over the limit is a window of its own. A last window of fewer than `threshold` new units joins the one before where
    the tokens allow it. `count` gives the tokens of a range of characters.
    """
    windows: list[Window] = []
    first = 0
    while first < len(units):
        last = first + 1
        while last < len(units) and last - first < length and _fits(units, first, last + 1, count, limit):
            last += 1
        windows.append((first, last))
        if last == len(units):
            break
        first = _next_first(units, first, last, overlap, count, limit)
    return _join_short_end(units, windows, threshold, count, limit)


def _fits(units: Sequence[Range], first: int, last: int, count: Callable[[int, int], int], limit: int) -> bool:
    return count(units[first][0], units[last - 1][1]) <= limit


def _next_first(
    units: Sequence[Range], first: int, last: int, overlap: int, count: Callable[[int, int], int], limit: int
) -> int:
    """Where the next window starts: as far back as overlap says, as long as it can still take in a new unit."""
    start = max(last - overlap, first + 1)
    while start < last and not _fits(units, start, last + 1, count, limit):
        start += 1
    return start


def _join_short_end(
    units: Sequence[Range], windows: list[Window], threshold: int, count: Callable[[int, int], int], limit: int
) -> list[Window]:
    if len(windows) > 1:
        (first, middle), (_, last) = windows[-2:]
        if last - middle < threshold and _fits(units, first, last, count, limit):
            return [*windows[:-2], (first, last)]
    return windows
