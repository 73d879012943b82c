"""What the report tells, read from the lab's tables, index and graph. Times are seconds since the epoch unless they say ms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medkg_lab.report.judged import Judged, Quality, measure
from medkg_lab.sdk.lab import Lab
from medkg_lab.sdk.records import Edge, Node

MAX_ROWS = 500
MAX_NODES = 150
_BUCKETS = 60

_STAGES = """
SELECT stage, count(*), count(*) FILTER (WHERE status = 'failed'), median(ms), quantile_cont(ms, 0.95), sum(ms) / 1000
FROM stage_run WHERE ms IS NOT NULL GROUP BY stage ORDER BY min(t0)"""
_FAILURES = f"""
SELECT doc_id, pipeline_name, state, coalesce(current_stage, ''), coalesce(failure_kind, ''), coalesce(reason, '')
FROM job WHERE state IN ('failed', 'dead', 'cancelled') ORDER BY updated_at DESC LIMIT {MAX_ROWS}"""
_GATES = f"""
SELECT doc_id, gate, state, coalesce(how, ''), coalesce(opened_by, ''), coalesce(why, ''),
    CASE WHEN state = 'waiting' THEN ? ELSE opened_at END - waiting_since
FROM gate ORDER BY waiting_since DESC LIMIT {MAX_ROWS}"""
_STATES = "SELECT pipeline_name, state, count(*) FROM job GROUP BY ALL ORDER BY ALL"
_ENDED = "SELECT updated_at FROM job WHERE state = 'completed' ORDER BY updated_at"
_SPANS = """
SELECT sum(last - first), sum(busy) FROM (
    SELECT job_id, execution, half, min(t0) AS first, max(t1) AS last, sum(ms) / 1000 AS busy
    FROM stage_run WHERE t0 IS NOT NULL AND t1 IS NOT NULL GROUP BY ALL)"""


@dataclass(frozen=True)
class StageFacts:
    """A stage: how often it ran and failed, ms a document at the median and the 95th percentile, seconds in all."""

    name: str
    runs: int
    failed: int
    p50_ms: float
    p95_ms: float
    total_s: float


@dataclass(frozen=True)
class FailureFacts:
    """A document that did not come through, and why."""

    doc_id: str
    pipeline: str
    state: str
    stage: str
    kind: str
    reason: str


@dataclass(frozen=True)
class GateFacts:
    """A gate: how it was decided, by whom and why, and how many seconds it waited where that is known."""

    doc_id: str
    gate: str
    state: str
    how: str
    by: str
    why: str
    waited_s: float | None


@dataclass(frozen=True)
class Throughput:
    """Documents that completed by bucket of `width_s` seconds, from `start` on."""

    start: float
    width_s: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Facts:
    """All that a report tells. `between_stages` is the share of the documents' time in which none of their stages ran."""

    home: str
    profile: str
    made_at: float
    states: Mapping[str, int]
    pipelines: Mapping[str, Mapping[str, int]]
    published: Mapping[str, int]
    stages: tuple[StageFacts, ...]
    failures: tuple[FailureFacts, ...]
    gates: tuple[GateFacts, ...]
    throughput: Throughput
    between_stages: float | None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    nodes_in_all: int
    quality: Quality | None = None


def gather(lab: Lab, now: float, judged: Sequence[Judged] = ()) -> Facts:
    """Ask the lab, the judged queries too.

    Raises LabNotRunning, and QueryTimeout where the tables are too large to be asked in time.
    """
    health = lab.health()
    pipelines: dict[str, dict[str, int]] = {}
    for pipeline, state, count in lab.table(_STATES).rows:
        pipelines.setdefault(pipeline, {})[state] = count
    graph = lab.graph()
    nodes, edges = most_linked(graph.nodes, graph.edges, MAX_NODES)
    ((span, busy),) = lab.table(_SPANS).rows
    return Facts(
        home=str(lab.home),
        profile=health.profile,
        made_at=now,
        states=health.jobs,
        pipelines=pipelines,
        published=health.published,
        stages=tuple(StageFacts(*row) for row in lab.table(_STAGES).rows),
        failures=tuple(FailureFacts(*row) for row in lab.table(_FAILURES).rows),
        gates=tuple(GateFacts(*row) for row in lab.table(_GATES, [now]).rows),
        throughput=throughput([row[0] for row in lab.table(_ENDED).rows]),
        between_stages=max(0.0, 1 - busy / span) if span else None,
        nodes=nodes,
        edges=edges,
        nodes_in_all=len(graph.nodes),
        quality=measure(lab, judged) if judged else None,
    )


def throughput(ends: Sequence[float], buckets: int = _BUCKETS) -> Throughput:
    """Count ends (ascending) in at most so many buckets of whole seconds."""
    if not ends:
        return Throughput(0.0, 1.0, ())
    width = max(1.0, float(-(-(ends[-1] - ends[0]) // buckets)))
    counts = [0] * (int((ends[-1] - ends[0]) // width) + 1)
    for end in ends:
        counts[int((end - ends[0]) // width)] += 1
    return Throughput(ends[0], width, tuple(counts))


def most_linked(nodes: Iterable[Node], edges: Iterable[Edge], most: int) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """The nodes with most statements, at most so many, and the statements among them; ties by node id."""
    links: dict[str, int] = {}
    every = list(edges)
    for edge in every:
        for end in (edge.source, edge.target):
            links[end] = links.get(end, 0) + 1
    ordered = sorted(nodes, key=lambda one: (-links.get(one.node_id, 0), one.node_id))[:most]
    kept = {one.node_id for one in ordered if one.node_id in links}
    chosen = tuple(one for one in ordered if one.node_id in kept)
    return chosen, tuple(one for one in every if one.source in kept and one.target in kept)
