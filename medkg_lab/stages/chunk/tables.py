"""Tables cut into passages by rows, the header before each."""

import re

from medkg_lab.stages.chunk.tokens import Range, TokenMap
from medkg_lab.stages.chunk.windows import gather

_LARGEST_HEADER = 0.5
"""A header that takes more than this share of a passage is not repeated."""
LONGEST_HEAD = 4000
"""Characters of a header or caption that is repeated at most: a word of any length is one token."""


def table_parts(tokens: TokenMap, header_rows: int, limit: int) -> list[tuple[Range, ...]]:
    """The ranges of each passage of a table: header first, where there is one, then as many rows as fit in `limit` tokens."""
    rows = [match.span() for match in re.finditer(r"[^\n]+", tokens.text)]
    header: tuple[Range, ...] = ()
    if 0 < header_rows < len(rows):
        top = (rows[0][0], rows[header_rows - 1][1])
        if tokens.count(*top) <= limit * _LARGEST_HEADER and top[1] - top[0] <= LONGEST_HEAD:
            header, rows = (top,), rows[header_rows:]
    left = limit - (tokens.count(*header[0]) if header else 0)
    windows = gather(rows, tokens.count, length=len(rows), overlap=0, threshold=0, limit=left)
    stretches = [(rows[first][0], rows[last - 1][1]) for first, last in windows]
    return [(*header, part) for start, end in stretches for part in tokens.cut(start, end, left)]
