"""Misspelt words of a query: the known word that a person most likely meant."""

from collections.abc import Iterable

SAME = 2
"""Letters at the beginning that are taken to be right."""
MOST = 20_000
"""Words that are compared at most."""
_SHORTEST = 5
_LONG = 8


def is_worth_it(word: str) -> bool:
    """Whether a word is long enough for a similar one to be meant."""
    return len(word) >= _SHORTEST and word.isalpha()


def closest(word: str, candidates: Iterable[tuple[str, int]]) -> str | None:
    """The candidate that the fewest edits make of `word`, one at most, two in a long word; of equals the one that most passages
    have. None when there is none.

    An edit is a letter more, less or another, or two neighbours swapped (optimal string alignment).
    """
    most = 2 if len(word) >= _LONG else 1
    # Two letters more or less make another word: thrombolysis and thrombosis.
    near = [pair for pair in candidates if abs(len(pair[0]) - len(word)) <= 1 and pair[0].isalpha()]
    judged = [(edits, -count, one) for one, count in near if (edits := _edits(word, one, most)) <= most]
    return min(judged)[2] if judged else None


def _edits(word: str, other: str, most: int) -> int:
    """How many edits make `other` of `word`; any number above `most` is only that."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        row = [at]
        for place, found in enumerate(other, 1):
            cost = min(last[place] + 1, row[place - 1] + 1, last[place - 1] + (letter != found))
            if at > 1 and place > 1 and letter == other[place - 2] and word[at - 2] == found:
                cost = min(cost, before[place - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return last[-1]
