"""How large a document may be: so many blocks, so many characters, so many cells of one table.

Every stage's work grows with these, and nothing else of a document says how long it takes.
"""

from collections.abc import Iterable

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import Block

MAX_BLOCKS = 100_000
MAX_CHARACTERS = 10_000_000
"""Characters of all blocks, with the names of the sections that each of them stands in."""
MAX_CELLS = 1_000_000


class TooManyBlocks(DocumentError):
    """This document has more than {limit} paragraphs, list items and other blocks. Split it and submit the parts."""


class TooMuchText(DocumentError):
    """This document has more than {limit} characters of text, section names included. Split it and submit the parts."""


class TooManyCells(DocumentError):
    """A table of this document has more than {limit} cells, those that its spans claim included. Split it and submit the
    parts."""


class Size:
    """The size of a document while it is read."""

    def __init__(self) -> None:
        self._blocks = 0
        self._characters = 0

    def add(self, block: Block) -> None:
        """Count `block`. Raises TooManyBlocks and TooMuchText."""
        self._blocks += 1
        self._characters += len(block.text) + sum(map(len, block.section))
        if self._blocks > MAX_BLOCKS:
            raise TooManyBlocks(limit=MAX_BLOCKS)
        if self._characters > MAX_CHARACTERS:
            raise TooMuchText(limit=MAX_CHARACTERS)


def check_size(blocks: Iterable[Block]) -> None:
    """Raises TooManyBlocks and TooMuchText for what is larger than a document may be."""
    size = Size()
    for block in blocks:
        size.add(block)


def check_cells(count: int) -> None:
    """Raises TooManyCells when a table of so many cells is larger than one may be."""
    if count > MAX_CELLS:
        raise TooManyCells(limit=MAX_CELLS)
