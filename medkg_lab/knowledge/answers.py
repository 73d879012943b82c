"""What a search answers, as it is made and as it travels; importing it loads nothing heavy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medkg_lab.failures import Failure
from medkg_lab.models.stored import Stored

Mark = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a passage comes from; `spans` are ranges of characters in blocks of its document."""

    doc_id: str
    source: str
    job_id: str
    section: Sequence[str]
    page: int | None
    spans: Sequence[Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class SameWork:
    """Another document here that is the same work: `what` is `preprint`, `article`, `version N` or `copy`."""

    doc_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit has its score: what each retriever adds, `factor` times their sum, and in which fields each word stands."""

    parts: Mapping[str, float | None]
    factor: float
    words: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `score` is from 0 to 1; `ranks` and `scores` are by retriever, None where it did not find it.

    `marks` are the ranges of `snippet` that match. `matched` is `identifier`, `author` or `journal` where the document is what
    was asked for itself. `notes` say what a reader must know of the document, such as that it was retracted.
    """

    doc_id: str
    chunk_id: str
    title: str
    section: Sequence[str]
    page: int | None
    text: str
    snippet: str
    marks: Sequence[Mark]
    provenance: Provenance
    score: float
    ranks: Mapping[str, int | None]
    scores: Mapping[str, float | None]
    matched: str | None = None
    notes: Sequence[str] = ()
    same_work: Sequence[SameWork] = ()
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class How:
    """How a query was read, and how the retrievers were put together.

    `words` are the index's terms by word; `skipped` are words without meaning of their own; `read_as` are unknown words and the
    known ones that were taken for them.
    """

    words: Mapping[str, str]
    skipped: Sequence[str]
    read_as: Mapping[str, str]
    condition: str | None
    fusion: str
    weights: Mapping[str, float]
    rrf_k: int | None
    boosts: Mapping[str, float]
    reranker: str | None
    floor: float
    only: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, best first; `legs` says of each retriever whether it took part, or why not; `notes` are about the query."""

    query: str
    hits: Sequence[Hit]
    legs: Mapping[str, str]
    ms: float
    notes: Sequence[str] = field(default=())
    how: How | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the graph, and how many documents mention it."""

    node_id: str
    kind: str
    name: str
    documents: int


@dataclass(frozen=True, slots=True)
class FoundNode(Node):
    """The node that a text names, how often it is mentioned, and the others that it might have meant."""

    mentions: int
    others: Sequence[Node]


@dataclass(frozen=True, slots=True)
class NamedNode:
    """A node by its id, kind and name."""

    node_id: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A statement about a node, from that node's side: `direction` is `out` when it is the source, else `in`."""

    relation: str
    direction: Literal["out", "in"]
    documents: int
    node_id: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The statements about a node."""

    node: FoundNode
    neighbours: Sequence[Neighbour]


@dataclass(frozen=True, slots=True)
class PathEdge:
    """A statement, and the documents that make it."""

    source: str
    relation: str
    target: str
    documents: Sequence[str]


@dataclass(frozen=True, slots=True)
class GraphPath:
    """A shortest chain of statements between two nodes; `hops` is None, and the chain empty, when there is none."""

    source: NamedNode
    target: NamedNode
    hops: int | None
    nodes: Sequence[NamedNode]
    edges: Sequence[PathEdge]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of one document: the characters of the passage that it was read from, and by which rule, if by one."""

    source: str
    relation: str
    target: str
    doc_id: str
    title: str | None
    chunk_id: str | None
    start: int | None
    end: int | None
    evidence: str | None
    rule: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class MentioningPassage:
    """A passage that mentions two nodes."""

    doc_id: str
    title: str | None
    chunk_id: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Connection:
    """What says that two nodes belong together."""

    source: FoundNode
    target: FoundNode
    statements: Sequence[Statement]
    mentioned_together: Sequence[MentioningPassage]


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a passage mentions a node."""

    start: int
    end: int
    text: str
    node_id: str


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage with its mentions."""

    chunk_id: str
    doc_id: str
    title: str
    text: str
    section: Sequence[str]
    page: int | None
    kind: str
    mentions: Sequence[Mention]


@dataclass(frozen=True, slots=True)
class IdentifiedDocument:
    """A document that says of itself that an identifier is its own; `pmc` is its id in PubMed Central, if it names one."""

    doc_id: str
    node_id: str
    title: str
    pmc: str | None = None


@dataclass(frozen=True, slots=True)
class EdgeEvidence:
    """Where a document makes a statement: the characters of the passage, the sentence, and the rule that read it, if one did."""

    doc_id: str
    chunk_id: str | None
    start: int | None
    end: int | None
    text: str | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class GraphEdge(PathEdge):
    """A statement with the documents that make it, and where each does."""

    evidence: Sequence[EdgeEvidence] = ()


@dataclass(frozen=True, slots=True)
class GraphExport:
    """The graph: nodes and distinct statements; `truncated` says that there is more than was asked for."""

    nodes: Sequence[Node]
    edges: Sequence[GraphEdge]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDocument:
    """A published document: what it says of itself, the job that made it, and how many passages of it are indexed."""

    doc_id: str
    tenant: str
    source: str | None
    title: str | None
    metadata: Mapping[str, object]
    job_id: str
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOutcome:
    """What came of a document that was to be stored: either it was staged or it was refused."""

    stored: Stored | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeHealth:
    """How far the ledger has been followed (`position`, and `ledger`: whether it is), and revisions and sizes of the store and of
    its indexes. `vectors_off` is why there is no index of vectors; `model` and `dimension` are the stored vectors'."""

    position: int
    ledger: str
    revision: int
    text_revision: int
    vector_revision: int
    chunks: int
    text_chunks: int
    vector_chunks: int
    vectors_off: str | None
    sparse_chunks: int
    sparse_model: str | None
    model: str | None
    dimension: int | None
