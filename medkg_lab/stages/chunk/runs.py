"""Which blocks are chunked together: pure decisions about a document's blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medkg_lab.models.ir import Block, BlockKind

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


def find_runs(blocks: Sequence[Block], within_sections: bool, references: bool) -> list[Run | TableRun]:
    """Group `blocks` into runs of one section each, and tables; headings are no text, the title joins the first run.

    With `within_sections` off, running text goes on across sections; a run is then named after its first.
    """
    captions = {table: table - 1 for table in _tables(blocks) if _is_caption_of(blocks, table)}
    left_out = {BlockKind.HEADING, BlockKind.TABLE} | (set() if references else {BlockKind.REFERENCE})
    runs: list[Run | TableRun] = []
    for number, block in enumerate(blocks):
        if block.kind is BlockKind.TABLE:
            runs.append(TableRun(number, captions.get(number), block.section))
        elif block.kind in left_out or number in captions.values() or not block.text.strip():
            continue
        else:
            _extend(runs, number, block, blocks, within_sections)
    return runs


def _extend(
    runs: list[Run | TableRun], number: int, block: Block, blocks: Sequence[Block], within_sections: bool
) -> None:
    """Put a block into the last run of text, or open a new one; tables between them do not part them."""
    place = next((i for i in reversed(range(len(runs))) if isinstance(runs[i], Run)), None)
    last = runs[place] if place is not None else None
    if place is not None and isinstance(last, Run):
        only_title = all(blocks[i].kind is BlockKind.TITLE for i in last.blocks)
        if last.section == block.section or only_title or not within_sections:
            section = block.section if only_title else last.section
            runs[place] = Run((*last.blocks, number), section)
            return
    runs.append(Run((number,), block.section))


def _tables(blocks: Sequence[Block]) -> Iterator[int]:
    return (number for number, block in enumerate(blocks) if block.kind is BlockKind.TABLE)


def _is_caption_of(blocks: Sequence[Block], table: int) -> bool:
    if table == 0:
        return False
    before = blocks[table - 1]
    return before.kind is BlockKind.CAPTION and before.section == blocks[table].section
