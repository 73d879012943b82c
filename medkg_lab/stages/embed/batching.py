"""Which texts are embedded together: pure decisions about lengths."""

from collections.abc import Callable, Iterator, Sequence

STEP = 16
"""Texts are padded to the next multiple of this many tokens. The padded length, and with it every bit of the vector, depends on
the text alone and not on what else is in the batch; the cost is STEP / 2 tokens per text on average."""

Plan = Callable[[Sequence[int], int, int], Iterator[tuple[int, list[int]]]]
"""From the texts' lengths, the longest that counts and the tokens of a batch to batches: padded length, the texts' numbers."""


def padded(length: int, limit: int) -> int:
    """The number of tokens that a text of `length` tokens is padded to, at most `limit`."""
    return min(-(-length // STEP) * STEP, limit)


def batches(lengths: Sequence[int], limit: int, tokens: int) -> Iterator[tuple[int, list[int]]]:
    """Group texts of equal padded length, longest first: pairs of that length and the texts' numbers.

    A batch holds `tokens` tokens at most, but always one text.
    """
    groups: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        groups.setdefault(padded(length, limit), []).append(number)
    for width in sorted(groups, reverse=True):
        size = max(1, tokens // width)
        members = groups[width]
        for start in range(0, len(members), size):
            yield width, members[start : start + size]
