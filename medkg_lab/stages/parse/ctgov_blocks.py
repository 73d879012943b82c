"""Building the blocks of a registry record."""

import re

from medkg_lab.models.documents import Block, BlockKind, Table
from medkg_lab.stages.criteria import is_heading, split_headings
from medkg_lab.stages.limits import Size, check_cells
from medkg_lab.stages.parse.record import Record
from medkg_lab.stages.parse.text import squeeze, table_text

Section = tuple[str, ...]

_BULLET = re.compile(r"^\s*(?:[*•‣·-]\s+|(?=\d{1,2}[.)]\s)|(?=[a-z][.)]\s))")


class Blocks:
    """The blocks so far."""

    def __init__(self) -> None:
        self.items: list[Block] = []
        self._size = Size()

    def add(self, kind: BlockKind, text: str, section: Section, record: Record, table: Table | None = None) -> None:
        """Add a block unless its text is empty. Raises TooManyBlocks and TooMuchText."""
        if text:
            block = Block(kind=kind, text=text, section=section, place=record.place, table=table)
            self._size.add(block)
            self.items.append(block)

    def heading(self, section: Section, record: Record) -> None:
        """Open `section`, unless the block before is in it already."""
        if not self.items or self.items[-1].section[: len(section)] != section:
            self.add(BlockKind.HEADING, section[-1], section, record)

    def fact(self, label: str, record: Record, section: Section, remark: str = "") -> None:
        """One line `label: value`, or nothing when there is no value; a remark stands behind it."""
        if text := record.words:
            self.heading(section, record)
            self.add(BlockKind.PARAGRAPH, f"{label}: {text}{remark}", section, record)

    def item(self, text: str, section: Section, record: Record) -> None:
        """One item of a list."""
        self.add(BlockKind.LIST_ITEM, text, section, record)

    def prose(
        self, record: Record, section: Section, kind: BlockKind = BlockKind.PARAGRAPH, criteria: bool = False
    ) -> None:
        """Free text as paragraphs and list items; with `criteria`, lines such as `Inclusion Criteria:` open a section."""
        if not record.text:
            return
        self.heading(section, record)
        current = section
        for entry, is_item in _entries(record.lines, criteria):
            for part, is_opening in split_headings(entry, is_item) if criteria else [(entry, False)]:
                if is_opening:
                    current = (*section, part.strip("*•- ").rstrip(": "))
                    self.add(BlockKind.HEADING, current[-1], current, record)
                else:
                    self.add(BlockKind.LIST_ITEM if is_item else kind, part, current, record)

    def table(self, rows: list[tuple[str, ...]], section: Section, record: Record) -> None:
        """A table whose first row is its header; a table of a header alone is skipped. Raises TooManyCells."""
        if len(rows) > 1:
            check_cells(sum(map(len, rows)))
            table = Table(rows=tuple(rows), header_rows=1)
            self.add(BlockKind.TABLE, table_text(table), section, record, table)


def _entries(text: str, criteria: bool) -> list[tuple[str, bool]]:
    """Paragraphs and list items: a blank line, a bullet or a heading of `criteria` starts a new one; other breaks do not."""
    entries: list[tuple[list[str], bool]] = []
    fresh = True
    for line in text.splitlines():
        bullet = _BULLET.match(line)
        content = squeeze(line[bullet.end() :] if bullet else line)
        if not content:
            fresh = True
            continue
        is_opening = criteria and is_heading(content, bullet is not None)
        if fresh or bullet or is_opening:
            entries.append(([content], bullet is not None))
        else:
            entries[-1][0].append(content)
        fresh = is_opening
    return [(" ".join(lines), is_item) for lines, is_item in entries]
