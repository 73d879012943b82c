"""The one place that turns what the lab's processes answer into the records of the Python API."""

from collections.abc import Iterable, Mapping

from medkg_lab.knowledge.answers import (
    Connection,
    GraphExport,
    GraphPath,
    NamedNode,
    Neighbours,
    Node,
    PassageText,
    PathEdge,
    PublishedDocument,
)
from medkg_lab.lab.status import LabReport
from medkg_lab.lab.submit import SubmitOutcome
from medkg_lab.ledger.answers import GateRow, JobDetail, JobGate, JobRow
from medkg_lab.ledger.state import StageRun
from medkg_lab.sdk import records

_STATEMENT = ("source", "relation", "target", "doc_id", "title", "chunk_id", "evidence")


def job(answer: JobRow) -> records.Job:
    """A job of the ledger; its stages where the answer has them."""
    return records.Job(
        job_id=answer.job_id,
        doc_id=answer.doc_id,
        tenant=answer.tenant_id,
        source=answer.source,
        pipeline=answer.pipeline,
        pipeline_version=answer.pipeline_version,
        state=answer.state.value,
        stage=answer.stage,
        attempt=answer.attempt,
        execution=answer.execution,
        created_at=answer.created_at,
        updated_at=answer.updated_at,
        failure_kind=answer.failure_kind,
        reason=answer.reason,
        error=answer.error,
        unchanged=answer.unchanged,
        outputs=dict(answer.outputs),
        gate=gate(answer.gate) if answer.gate else None,
        stages=tuple(map(stage_run, answer.stages)) if isinstance(answer, JobDetail) else (),
    )


def stage_run(answer: StageRun) -> records.StageRun:
    """An execution of a stage."""
    return records.StageRun(
        stage=answer.stage,
        status=answer.status.value,
        execution=answer.execution,
        attempt=answer.attempt,
        started_at=answer.t0,
        ended_at=answer.t1,
        ms=answer.ms,
        count=answer.count,
        kind=answer.kind,
        output=answer.ref,
        implementation=answer.implementation,
        device=answer.device,
        error=answer.error,
        reason=answer.reason,
    )


def gate(answer: JobGate | GateRow) -> records.Gate:
    """A gate of a job."""
    return records.Gate(
        job_id=answer.job_id,
        doc_id=answer.doc_id,
        name=answer.gate,
        state=answer.state.value,
        field=answer.condition.ledger_field,
        equals=answer.condition.equals,
        stages=answer.stages,
        waiting_since=answer.waiting_since,
        opened_at=answer.opened_at,
        opened_by=answer.opened_by,
        how=answer.how,
        why=answer.why,
        partial=answer.partial,
        pages=answer.evidence.pages,
        missing_pages=tuple(answer.evidence.missing_pages or ()),
    )


def submission(outcome: SubmitOutcome) -> records.Submission:
    """What was submitted."""
    jobs = tuple(
        records.Submitted(one.job_id, one.doc_id, one.pipeline, one.already, one.content, one.note)
        for one in outcome.jobs
    )
    return records.Submission(jobs, tuple(records.Skipped(str(one.path), one.reason) for one in outcome.skipped))


def document(answer: PublishedDocument) -> records.Document:
    """A published document."""
    return records.Document(
        doc_id=answer.doc_id,
        tenant=answer.tenant,
        source=answer.source or "",
        title=answer.title or "",
        job_id=answer.job_id,
        chunks=answer.chunks,
        metadata=answer.metadata,
    )


def passage(answer: PassageText) -> records.Passage:
    """A passage with its mentions."""
    return records.Passage(
        chunk_id=answer.chunk_id,
        doc_id=answer.doc_id,
        title=answer.title,
        text=answer.text,
        page=answer.page,
        kind=answer.kind,
        section=tuple(answer.section),
        mentions=tuple(records.Mention(one.start, one.end, one.text, one.node_id) for one in answer.mentions),
    )


def node(answer: Node | NamedNode) -> records.Node:
    """A node of the graph."""
    documents = answer.documents if isinstance(answer, Node) else None
    return records.Node(answer.node_id, answer.kind, answer.name, documents)


def neighbourhood(answer: Neighbours) -> records.Neighbourhood:
    """A node with what is around it."""
    around = tuple(
        records.Neighbour(one.relation, one.direction, records.Node(one.node_id, one.kind, one.name), one.documents)
        for one in answer.neighbours
    )
    return records.Neighbourhood(node(answer.node), around, tuple(map(node, answer.node.others)))


def path(answer: GraphPath) -> records.GraphPath:
    """A chain of statements."""
    nodes, edges = tuple(map(node, answer.nodes)), tuple(map(edge, answer.edges))
    return records.GraphPath(node(answer.source), node(answer.target), answer.hops, nodes, edges)


def edge(answer: PathEdge) -> records.Edge:
    """A statement."""
    return records.Edge(answer.source, answer.relation, answer.target, tuple(answer.documents))


def statements(answer: Connection) -> tuple[records.Statement, ...]:
    """What says that two nodes belong together."""
    return tuple(records.Statement(**{name: getattr(one, name) for name in _STATEMENT}) for one in answer.statements)


def graph(answer: GraphExport) -> records.GraphExport:
    """The graph, or a part of it."""
    return records.GraphExport(tuple(map(node, answer.nodes)), tuple(map(edge, answer.edges)), answer.truncated)


def health(status: LabReport, published: Mapping[str, int]) -> records.Health:
    """The lab's state as `lab.status` has it."""
    names = ("name", "state", "pid", "restarts", "rss_mb", "port", "reason")
    processes = tuple(records.Process(**{name: getattr(one, name) for name in names}) for one in status.lab.processes)
    jobs, gates = (status.counted.jobs, status.counted.gates) if status.counted else ({}, {})
    return records.Health(status.lab.home, status.lab.profile, processes, jobs, gates, published)


def jobs(answers: Iterable[JobRow]) -> tuple[records.Job, ...]:
    """Jobs of the ledger."""
    return tuple(map(job, answers))
