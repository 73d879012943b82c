"""Numbers on the command line: one that is out of range is a usage error, before anything is asked."""

import argparse
from collections.abc import Callable

MOST = 1_000_000_000
"""What counts lines, rows or documents goes no further."""
LAST_EVENT = 2**62
"""No event has a higher number."""
LONGEST_S = 1_000_000.0
"""Seconds that a command waits at most: eleven days, well below what the system's timers take."""


def between(low: int, high: int) -> Callable[[str], int]:
    """A type for `add_argument`: a whole number from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:,} to {high:,}")
        return number

    return parse


def seconds(low: float = 0.0, high: float = LONGEST_S) -> Callable[[str], float]:
    """A type for `add_argument`: seconds from `low` to `high`; neither `nan` nor `inf`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {low:g} to {high:,.0f}")
        return number

    return parse
