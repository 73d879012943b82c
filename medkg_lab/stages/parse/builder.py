"""Building a document block by block: sections open themselves, and the size is counted on the way."""

from dataclasses import dataclass, field
from typing import Literal

from medkg_lab.models.documents import Block, BlockKind, Code, Document, Place, Table
from medkg_lab.stages.limits import Size, check_cells
from medkg_lab.stages.parse.errors import EmptyDocument
from medkg_lab.stages.parse.text import squeeze, table_text

Section = tuple[str, ...]
Metadata = dict[str, str | int | float | bool | list[str]]


@dataclass
class Builder:
    """A document while it is read; `what` is what an error calls it."""

    what: str
    title: str = ""
    language: str = "en"
    identifiers: dict[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    codes: list[Code] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _size: Size = field(default_factory=Size)

    def add(self, kind: BlockKind, text: str, section: Section, place: str) -> None:
        """Add a block unless its text is empty. Raises TooManyBlocks and TooMuchText."""
        if text := squeeze(text):
            self._append(Block(kind=kind, text=text, section=section, place=Place(element=place)))

    def add_title(self, text: str, place: str) -> None:
        """Add the document's title, once."""
        if not self.title and (text := squeeze(text)):
            self.title = text
            self.add(BlockKind.TITLE, text, (), place)

    def heading(self, section: Section, place: str) -> None:
        """Open `section`, unless the block before is in it already."""
        if section and (not self.blocks or self.blocks[-1].section[: len(section)] != section):
            self.add(BlockKind.HEADING, section[-1], section, place)

    def add_table(self, rows: list[tuple[str, ...]], header_rows: int, section: Section, place: str) -> None:
        """Add a table unless it is empty. Raises TooManyCells, TooManyBlocks and TooMuchText."""
        rows = [row for row in (tuple(map(squeeze, row)) for row in rows) if any(row)]
        if rows:
            check_cells(sum(map(len, rows)))
            table = Table(rows=tuple(rows), header_rows=min(header_rows, len(rows)))
            text, at = table_text(table), Place(element=place)
            self._append(Block(kind=BlockKind.TABLE, text=text, section=section, place=at, table=table))

    def put(self, key: str, value: str | int | list[str]) -> None:
        """Keep what the document says of itself, unless it is empty."""
        value = squeeze(value) if isinstance(value, str) else value
        if value:
            self.metadata[key] = value

    def keyword(self, term: str, place: str, mesh: str = "") -> None:
        """Keep a subject that the source names, with its MeSH id when it has one."""
        if term := squeeze(term):
            scheme: Literal["mesh", "free"] = "mesh" if mesh else "free"
            at = Place(element=place)
            self.codes.append(Code(scheme=scheme, code=mesh or None, term=term, role="keyword", place=at))

    def document(self, doc_id: str, source: str) -> Document:
        """The document. Raises EmptyDocument when there is no text."""
        if not self.blocks:
            raise EmptyDocument(what=self.what, detail="there is no title and no text")
        if not self.title:
            self.warnings.append(f"the {self.what} has no title")
        return Document(
            doc_id=doc_id,
            source=source,
            title=self.title or doc_id,
            language=self.language,
            identifiers=self.identifiers,
            metadata=self.metadata,
            blocks=tuple(self.blocks),
            codes=tuple(self.codes),
            warnings=tuple(self.warnings),
        )

    def _append(self, block: Block) -> None:
        self._size.add(block)
        self.blocks.append(block)
