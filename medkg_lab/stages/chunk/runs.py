"""Which blocks are chunked together: pure decisions about a document's blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medkg_lab.models.documents import Block, BlockKind

BLOCK_JOIN = "\n\n"
"""What stands between two blocks in a passage."""
ROW_JOIN = "\n"
"""What stands between the parts of a table passage: its caption, header and rows."""


@dataclass(frozen=True)
class Run:
    """Blocks of running text, by number, that may share a passage."""

    blocks: tuple[int, ...]
    section: tuple[str, ...]


@dataclass(frozen=True)
class TableRun:
    """A table and the caption before it, by block number."""

    table: int
    caption: int | None
    section: tuple[str, ...]


@dataclass
class _Open:
    """A run that may still grow: the last one of text, since tables between blocks do not part them."""

    blocks: list[int]
    section: tuple[str, ...]
    only_title: bool

    def takes(self, block: Block, within_sections: bool) -> bool:
        """Whether the block goes on where this run ends."""
        return self.section == block.section or self.only_title or not within_sections

    def add(self, number: int, block: Block) -> None:
        """Take the block in; a title is followed by the section of what comes after it."""
        self.section = block.section if self.only_title else self.section
        self.only_title = self.only_title and block.kind is BlockKind.TITLE
        self.blocks.append(number)


def group_blocks(blocks: Sequence[Block], within_sections: bool, references: bool) -> list[Run | TableRun]:
    """Group `blocks` into runs of one section each, and tables; headings are no text, the title joins the first run.

    With `within_sections` off, running text goes on across sections; a run is then named after its first.
    """
    captions = {table: table - 1 for table in _tables(blocks) if _is_caption_of(blocks, table)}
    passed_over = set(captions.values())
    left_out = {BlockKind.HEADING, BlockKind.TABLE} | (set() if references else {BlockKind.REFERENCE})
    runs: list[_Open | TableRun] = []
    last: _Open | None = None
    for number, block in enumerate(blocks):
        if block.kind is BlockKind.TABLE:
            runs.append(TableRun(number, captions.get(number), block.section))
        elif block.kind in left_out or number in passed_over or not block.text.strip():
            continue
        elif last is not None and last.takes(block, within_sections):
            last.add(number, block)
        else:
            last = _Open([number], block.section, block.kind is BlockKind.TITLE)
            runs.append(last)
    return [Run(tuple(run.blocks), run.section) if isinstance(run, _Open) else run for run in runs]


def _tables(blocks: Sequence[Block]) -> Iterator[int]:
    return (number for number, block in enumerate(blocks) if block.kind is BlockKind.TABLE)


def _is_caption_of(blocks: Sequence[Block], table: int) -> bool:
    if table == 0:
        return False
    before = blocks[table - 1]
    return before.kind is BlockKind.CAPTION and before.section == blocks[table].section
