"""The intermediate representation of a document: what every parser makes and every later stage reads.

All of it is frozen and goes to JSON and back through pydantic. A `Document` is a flat list of blocks in reading order; a block
names its section path and where in the source it came from, so that any chunk can be traced back to its place.
"""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal["medkg.ir/1"] = "medkg.ir/1"


class Frozen(BaseModel):
    """A value: unknown keys are refused and nothing can be changed after it was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(Frozen):
    """Where in the source a block stands.

    `element` is a path in the source's own terms: a JSON path (`protocolSection.descriptionModule.briefSummary`), an XPath, or
    `page/3/block/7`. `page` counts from 1; `bbox` is (x0, y0, x1, y1) in fractions of the page, origin at the top left.
    """

    element: str
    page: int | None = None
    bbox: tuple[float, float, float, float] | None = None


class BlockKind(StrEnum):
    """What a block is."""

    TITLE = "title"
    ABSTRACT = "abstract"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CAPTION = "caption"
    REFERENCE = "reference"
    FORMULA = "formula"


class Table(Frozen):
    """A table as rows of cell texts, header rows first."""

    rows: tuple[tuple[str, ...], ...]
    header_rows: int = 0


class Block(Frozen):
    """One piece of text in reading order; a table has its cells as well as its text (cells joined by ` | `, rows by newlines)."""

    kind: BlockKind
    text: str
    section: tuple[str, ...] = ()
    place: Place
    table: Table | None = None


class Code(Frozen):
    """A coded concept that the source itself gives, such as a MeSH term of a trial's condition."""

    scheme: Literal["mesh", "nct", "pmid", "doi", "free"]
    code: str | None
    term: str
    role: str
    """How the source uses it: `condition`, `intervention`, `outcome`, `arm`, `keyword`, `sponsor`, ..."""
    place: Place


class Document(Frozen):
    """A parsed document. `doc_id` is `<source>:<key>`; `language` is an IETF tag."""

    schema_version: Literal["medkg.ir/1"] = SCHEMA_VERSION
    doc_id: str
    source: str
    title: str
    language: str = "en"
    identifiers: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, str | int | float | bool | list[str]] = Field(default_factory=dict)
    blocks: tuple[Block, ...]
    codes: tuple[Code, ...] = ()
    warnings: tuple[str, ...] = ()


class ChunkSpan(Frozen):
    """The part of a block that a chunk covers: block number and the half-open range of characters in that block's text."""

    block: int
    start: int
    end: int


class Chunk(Frozen):
    """A passage for search; `chunk_id` is `<doc_id>#<number>`."""

    chunk_id: str
    doc_id: str
    number: int
    text: str
    section: tuple[str, ...] = ()
    spans: tuple[ChunkSpan, ...]
    page: int | None = None
    kind: Literal["text", "table"] = "text"


class Mention(Frozen):
    """A concept found in a chunk: the half-open range of characters in the chunk's text, and the node it is linked to."""

    chunk_id: str
    start: int
    end: int
    text: str
    node_id: str


class Node(Frozen):
    """A node of the graph. `node_id` is `mesh:D003924`, `nct:NCT0...`, `doc:<doc_id>` or `term:<normalised text>`."""

    node_id: str
    kind: str
    name: str


class Edge(Frozen):
    """A statement with its provenance: which document, and where one is known which chunk and offset, says so."""

    source: str
    relation: str
    target: str
    doc_id: str
    chunk_id: str | None = None
    start: int | None = None
    end: int | None = None
    evidence: str = ""
    rule: str = ""
    """Of a claim that no code states and no model read: the name of the rule that did."""


class Extraction(Frozen):
    """What the extract stage found in one document."""

    doc_id: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    mentions: tuple[Mention, ...] = ()
