"""The one place that turns what the lab's processes answer into the records of the Python API."""

from collections.abc import Iterable, Mapping
from typing import Any

from medkg_lab.lab.submit import SubmitOutcome
from medkg_lab.sdk import records

Answer = Mapping[str, Any]
_STATEMENT = ("source", "relation", "target", "doc_id", "title", "chunk_id", "evidence")


def job(answer: Answer) -> records.Job:
    """A job of the ledger."""
    return records.Job(
        job_id=answer["job_id"],
        doc_id=answer["doc_id"],
        tenant=answer["tenant_id"],
        source=answer["source"],
        pipeline=answer["pipeline"],
        pipeline_version=answer["pipeline_version"],
        state=str(answer["state"]),
        stage=answer["stage"],
        attempt=answer["attempt"],
        execution=answer["execution"],
        created_at=answer["created_at"],
        updated_at=answer["updated_at"],
        failure_kind=answer["failure_kind"],
        reason=answer["reason"],
        error=answer["error"],
        unchanged=answer["unchanged"],
        outputs=dict(answer["outputs"] or {}),
        gate=gate(answer["gate"]) if answer["gate"] else None,
        stages=tuple(map(stage_run, answer.get("stages") or ())),
    )


def stage_run(answer: Answer) -> records.StageRun:
    """An execution of a stage."""
    same = (
        "stage",
        "status",
        "execution",
        "attempt",
        "ms",
        "count",
        "kind",
        "implementation",
        "device",
        "error",
        "reason",
    )
    times = {"started_at": answer["t0"], "ended_at": answer["t1"], "output": answer["ref"]}
    return records.StageRun(**{name: answer[name] for name in same}, **times)


def gate(answer: Answer) -> records.Gate:
    """A gate of a job."""
    evidence, condition = answer["evidence"] or {}, answer["condition"]
    same = ("job_id", "doc_id", "waiting_since", "opened_at", "opened_by", "how", "why", "partial")
    return records.Gate(
        **{name: answer[name] for name in same},
        name=answer["gate"],
        state=str(answer["state"]),
        field=condition["ledger_field"],
        equals=condition["equals"],
        stages=tuple(answer["stages"]),
        pages=evidence.get("pages"),
        missing_pages=tuple(evidence.get("missing_pages") or ()),
    )


def submission(outcome: SubmitOutcome) -> records.Submission:
    """What was submitted."""
    jobs = tuple(
        records.Submitted(one.job_id, one.doc_id, one.pipeline, one.already, one.content, one.note)
        for one in outcome.jobs
    )
    return records.Submission(jobs, tuple(records.Skipped(str(one.path), one.reason) for one in outcome.skipped))


def document(answer: Answer) -> records.Document:
    """A published document."""
    same = {name: answer[name] for name in ("doc_id", "tenant", "source", "title", "job_id", "chunks")}
    return records.Document(**same, metadata=answer["metadata"] or {})


def passage(answer: Answer) -> records.Passage:
    """A passage with its mentions."""
    mentions = tuple(records.Mention(**one) for one in answer["mentions"])
    same = {name: answer[name] for name in ("chunk_id", "doc_id", "title", "text", "page", "kind")}
    return records.Passage(**same, section=tuple(answer["section"]), mentions=mentions)


def node(answer: Answer) -> records.Node:
    """A node of the graph."""
    return records.Node(answer["node_id"], answer["kind"], answer["name"], answer.get("documents"))


def neighbourhood(answer: Answer) -> records.Neighbourhood:
    """A node with what is around it."""
    around = tuple(
        records.Neighbour(
            one["relation"],
            one["direction"],
            records.Node(one["node_id"], one["kind"], one["name"]),
            one.get("documents"),
        )
        for one in answer["neighbours"]
    )
    return records.Neighbourhood(node(answer["node"]), around, tuple(map(node, answer["node"].get("others", ()))))


def edge(answer: Answer) -> records.Edge:
    """A statement of the graph."""
    return records.Edge(answer["source"], answer["relation"], answer["target"], tuple(answer.get("documents") or ()))


def path(answer: Answer) -> records.GraphPath:
    """A chain of statements."""
    return records.GraphPath(
        node(answer["source"]),
        node(answer["target"]),
        answer["hops"],
        tuple(map(node, answer["nodes"])),
        tuple(map(edge, answer["edges"])),
    )


def statements(answer: Answer) -> tuple[records.Statement, ...]:
    """What says that two nodes belong together."""
    return tuple(records.Statement(**{name: one.get(name) for name in _STATEMENT}) for one in answer["statements"])


def graph(answer: Answer) -> records.GraphExport:
    """The graph, or a part of it."""
    nodes, edges = tuple(map(node, answer["nodes"])), tuple(map(edge, answer["edges"]))
    return records.GraphExport(nodes, edges, answer["truncated"])


def health(status: Answer, published: Mapping[str, int]) -> records.Health:
    """The lab's state as `lab.status` has it."""
    names = ("name", "state", "pid", "restarts", "rss_mb", "port", "reason")
    processes = tuple(records.Process(**{name: one[name] for name in names}) for one in status["processes"])
    return records.Health(
        str(status["home"]), status["profile"], processes, status["jobs"] or {}, status["gates"] or {}, published
    )


def jobs(answers: Iterable[Answer]) -> tuple[records.Job, ...]:
    """Jobs of the ledger."""
    return tuple(map(job, answers))
