"""What the Python API answers with: frozen records. Times are seconds since the epoch, hashes sha256 in hexadecimal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FieldValue = bool | int | str
"""The value of a job's field, which a gate's condition compares with."""


@dataclass(frozen=True)
class StageRun:
    """One execution of a stage for a job.

    `ms` is the job's share of the batch's time; `output` the hash of what the stage gave, of `kind`, with `count` items in it.
    `status` is running, completed, failed, skipped, lost or cancelled.
    """

    stage: str
    status: str
    execution: int
    attempt: int
    started_at: float | None = None
    ended_at: float | None = None
    ms: float | None = None
    count: int | None = None
    kind: str | None = None
    output: str | None = None
    implementation: str | None = None
    device: str | None = None
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Gate:
    """A gate that a job came to: it waits until the job's `field` has the value `equals`, or a person opens it.

    `state` is waiting, open, released, rejected, failed or cancelled; `pages` and `missing_pages` are of the PDF behind it.
    """

    job_id: str
    doc_id: str
    name: str
    state: str
    field: str
    equals: FieldValue
    stages: tuple[str, ...]
    waiting_since: float
    opened_at: float | None = None
    opened_by: str | None = None
    how: str | None = None
    why: str | None = None
    partial: bool = False
    pages: int | None = None
    missing_pages: tuple[int, ...] = ()


@dataclass(frozen=True)
class Job:
    """A document on its way through a pipeline.

    `state` is queued, running, waiting_gate, completed, failed, dead or cancelled. `stages` are its executions in order, empty in
    lists. `outputs` has the newest output of each kind by hash.
    """

    job_id: str
    doc_id: str
    tenant: str
    source: str
    pipeline: str
    pipeline_version: str
    state: str
    stage: str | None
    attempt: int
    execution: int
    created_at: float
    updated_at: float
    failure_kind: str | None = None
    reason: str | None = None
    error: str | None = None
    unchanged: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)
    gate: Gate | None = None
    stages: tuple[StageRun, ...] = ()


@dataclass(frozen=True)
class Submitted:
    """A request that is on the work queue: its job, and whether that job was `already` there.

    `content` is new, known or replaces, and empty for what is yet to be fetched.
    """

    job_id: str
    doc_id: str
    pipeline: str
    already: bool
    content: str = ""
    note: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file that was not submitted, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Submission:
    """What one call submitted, and which files it skipped."""

    jobs: tuple[Submitted, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Document:
    """A published document; `metadata` is what its source says of it, `chunks` how many passages it has."""

    doc_id: str
    tenant: str
    source: str
    title: str
    job_id: str
    chunks: int
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Mention:
    """A concept in a passage: a range of its characters, and the node of the graph."""

    start: int
    end: int
    text: str
    node_id: str


@dataclass(frozen=True)
class Passage:
    """A passage of a published document, with the concepts that it mentions."""

    chunk_id: str
    doc_id: str
    title: str
    text: str
    section: tuple[str, ...]
    page: int | None
    kind: str
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True)
class Node:
    """A node of the graph: a concept or a document; `documents` is how many speak of it, where that was asked."""

    node_id: str
    kind: str
    name: str
    documents: int | None = None


@dataclass(frozen=True)
class Neighbour:
    """A statement about a node; `direction` is `out` where the node is the statement's source."""

    relation: str
    direction: str
    node: Node
    documents: int | None = None


@dataclass(frozen=True)
class Neighbourhood:
    """A node with the statements about it, those of most documents first; `others` are further nodes of that name."""

    node: Node
    neighbours: tuple[Neighbour, ...]
    others: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Edge:
    """A statement: source and target by node id, and the documents that make it."""

    source: str
    relation: str
    target: str
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphPath:
    """A shortest chain of statements; `hops` is None when there is none within the hops that were allowed."""

    source: Node
    target: Node
    hops: int | None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Statement:
    """What a document says of two nodes, with the passage that says so; `evidence` is the sentence."""

    source: str
    relation: str
    target: str
    doc_id: str
    title: str | None = None
    chunk_id: str | None = None
    evidence: str | None = None


@dataclass(frozen=True)
class GraphExport:
    """The graph: nodes and distinct statements; `truncated` says that there is more than was asked for."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    truncated: bool


@dataclass(frozen=True)
class Process:
    """A process of the lab; `reason` says why it is not ready. Memory in MB."""

    name: str
    state: str
    pid: int | None
    restarts: int
    rss_mb: float | None
    port: int | None
    reason: str | None


@dataclass(frozen=True)
class Health:
    """How the lab is: its processes, jobs and gates by state, and what is published."""

    home: str
    profile: str
    processes: tuple[Process, ...]
    jobs: Mapping[str, int]
    gates: Mapping[str, int]
    published: Mapping[str, int]

    @property
    def is_ready(self) -> bool:
        """Whether every process is ready."""
        return all(one.state == "ready" for one in self.processes)


@dataclass(frozen=True)
class Outcome:
    """Where jobs stood when waiting for them ended: counts by state, the jobs that failed, and those that wait for a person."""

    counts: Mapping[str, int]
    failed: Sequence[Job] = ()
    waiting_for_a_person: Sequence[Job] = ()
