"""The lab's own questions to the ledger's tables, by name: only here is there SQL for them, and a name is all that travels."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from medkg_lab.ledger.errors import MalformedCommand
from medkg_lab.ledger.state import FINISHED
from medkg_lab.models.events import ACKNOWLEDGED, DELETED
from medkg_lab.models.identity import DIGITS


class Named(StrEnum):
    """The questions; the parameters of each stand beside it."""

    ACKNOWLEDGED_JOBS = "acknowledged_jobs"
    """-: how many failed and dead jobs were seen, by state."""
    ARTIFACTS = "artifacts"
    """job: kind, artifacts and items of what it made, in order."""
    ARCHIVED_BEFORE = "archived_before"
    """time: the number of the last archived event before it, null if there is none."""
    ARTIFACTS_KEPT = "artifacts_kept"
    """after, superseded before: artifacts and kinds of what the kept jobs of a page made, which begins behind job `after`."""
    AUDIT = "audit"
    """after: what was done by whom, from event `after` on, as AUDIT_COLUMNS."""
    BATCHES_RUNNING = "batches_running"
    """-: the batches of running jobs."""
    COMPLETED_CONTENTS = "completed_contents"
    """tenant, source, contents: content, document, key and age of the jobs that last completed for them."""
    DECIDED_GATES = "decided_gates"
    """most: the gates that were decided last, as GATE_COLUMNS."""
    DOCUMENTS_OF_JOBS = "documents_of_jobs"
    """jobs: job and document."""
    EXECUTIONS_BEGAN = "executions_began"
    """jobs: job, and when its last execution began."""
    GATES_OPENED = "gates_opened"
    """since: how gates were opened since then, and how many."""
    INPUTS = "inputs"
    """job: stage, kind and sha256 of what each stage was made from."""
    JOBS_AFTER = "jobs_after"
    """job: job and pipeline of those behind it, by id."""
    HASHES_KEPT = "hashes_kept"
    """after, superseded before: the last job of a page of kept jobs, and every hash that their records name."""
    JOBS_BY_KEY = "jobs_by_key"
    """name, tenant, most: job and document of those whose key is `name` or whose id begins so, the exact and newest first."""
    JOBS_BY_PREFIX = "jobs_by_prefix"
    """prefix, most: the jobs whose id begins so."""
    JOBS_OF_DOCUMENT = "jobs_of_document"
    """tenant, document: all its jobs."""
    JOBS_TO_DELETE = "jobs_to_delete"
    """tenant, document: those of its jobs that were not deleted."""
    JOB_COUNT = "job_count"
    """filter: how many jobs fit."""
    JOB_IDS = "job_ids"
    """filter, most: the newest jobs that fit."""
    JOB_PAGE = "job_page"
    """filter, sort, reverse, limit, offset: a window of the jobs that fit, as JOB_COLUMNS."""
    JOB_TOTALS = "job_totals"
    """-: pipeline, state and how many jobs."""
    LAST_DOCUMENTS = "last_documents"
    """pipeline or null, most: job, document and artifact of the last documents, each once."""
    STAGES_DONE = "stages_done"
    """pipeline: how each stage and gate did."""
    STAGE_FLOWS = "stage_flows"
    """since: how each stage of each pipeline did, and did since then."""
    STAGE_TIMES = "stage_times"
    """stages, most: mean ms of each over its last runs."""
    STANDING_JOBS = "standing_jobs"
    """-: pipeline, stage, state and how many jobs that are not through."""
    OLDEST_UNFINISHED = "oldest_unfinished"
    """-: the age of the oldest job that is not finished, null if there is none."""
    SUBMITTED_CONTENTS = "submitted_contents"
    """tenant, source, beginnings of contents: content, document, key and age of the jobs that came with them."""
    VERSIONS = "versions"
    """tenant, documents: document, content and when it was completed."""
    WAITING_FOR = "waiting_for"
    """field: the jobs whose gate waits for it without evidence, those that wait longest first."""


JOB_COLUMNS = (
    "job_id", "doc_id", "pipeline_name", "state", "current_stage", "attempt", "execution", "created_at", "updated_at",
    "failure_kind", "reason", "run_id", "worker", "source",
)  # fmt: skip
AUDIT_COLUMNS = ("seq", "ts", "action", "actor", "subject", "jobs", "before", "after", "why")
GATE_COLUMNS = (
    "job_id", "doc_id", "gate", "state", "waiting_since", "opened_at", "opened_by", "how", "why", "partial",
)  # fmt: skip
SORTS = {
    "newest": "age DESC",
    "changed": "updated_at DESC",
    "document": "doc_id, age DESC",
    "pipeline": "pipeline_name, age DESC",
    "state": "state, age DESC",
    "stage": "current_stage NULLS LAST, age DESC",
}
"""The orders that jobs can be shown in."""
_SEEN = f"TRY_CAST(json_extract_string(fields, '$.{ACKNOWLEDGED}') AS BIGINT) IS NOT DISTINCT FROM execution"
"""The condition that someone has seen how a job ended."""
_FIELDS = {
    "state": "state",
    "pipeline": "pipeline_name",
    "stage": "current_stage",
    "kind": "failure_kind",
    "source": "source",
    "doc": "doc_id",
    "job": "job_id",
    "seen": f"CASE WHEN {_SEEN} THEN 'yes' ELSE 'no' END",
}
_FINISHED = ", ".join(f"'{state}'" for state in sorted(FINISHED))
_KEPT_PAGE = 1000
_KEPT = f"""
SELECT job_id, record FROM job j WHERE job_id > ? AND json_extract(fields, '$.{DELETED}') IS NULL AND NOT (
    state IN ({_FINISHED}) AND updated_at < ? AND EXISTS (
        SELECT 1 FROM document d JOIN job p ON p.job_id = d.job_id
        WHERE d.tenant_id = j.tenant_id AND d.doc_id = j.doc_id AND p.age > j.age))
ORDER BY job_id LIMIT {_KEPT_PAGE}
"""
"""A page of the jobs that are neither deleted nor, since a time, superseded by a newer one of their document."""
_STATES = {"gate": "waiting_gate"}
_REVERSED = {"DESC": "ASC", "ASC": "DESC"}

_SQL: Mapping[Named, str] = {
    Named.ACKNOWLEDGED_JOBS: f"SELECT state, count(*) FROM job WHERE state IN ('failed', 'dead') AND {_SEEN} GROUP BY state",
    Named.ARTIFACTS: """
SELECT kind, count(DISTINCT sha256), sum(count) FROM artifact WHERE job_id = ? GROUP BY kind ORDER BY min(created_at)
""",
    Named.ARCHIVED_BEFORE: "SELECT max(seq) FROM event_archive WHERE ts < ?",
    Named.ARTIFACTS_KEPT: f"SELECT DISTINCT sha256, kind FROM artifact WHERE job_id IN (SELECT job_id FROM ({_KEPT}))",
    Named.AUDIT: f"SELECT {', '.join(AUDIT_COLUMNS)} FROM audit WHERE seq > ? ORDER BY seq",
    Named.BATCHES_RUNNING: "SELECT DISTINCT batch FROM job WHERE state = 'running'",
    Named.HASHES_KEPT: f"""
WITH kept AS ({_KEPT})
SELECT max(job_id), list_distinct(flatten(list(regexp_extract_all(record, '[0-9a-f]{{64}}')))) FROM kept
""",
    Named.JOBS_OF_DOCUMENT: "SELECT job_id FROM job WHERE tenant_id = ? AND doc_id = ?",
    Named.JOBS_TO_DELETE: f"""
SELECT job_id FROM job WHERE tenant_id = ? AND doc_id = ? AND json_extract(fields, '$.{DELETED}') IS NULL
""",
    Named.OLDEST_UNFINISHED: f"SELECT min(age) FROM job WHERE state NOT IN ({_FINISHED})",
    Named.COMPLETED_CONTENTS: """
SELECT d.content, d.doc_id, j.doc_key, j.age FROM document d JOIN job j ON j.job_id = d.job_id
WHERE d.tenant_id = ? AND j.source = ? AND list_contains(?, d.content)
""",
    Named.DECIDED_GATES: f"""
SELECT {", ".join(GATE_COLUMNS)} FROM gate WHERE state != 'waiting'
ORDER BY coalesce(opened_at, waiting_since) DESC LIMIT ?
""",
    Named.DOCUMENTS_OF_JOBS: "SELECT job_id, doc_id FROM job WHERE job_id IN (SELECT unnest(?::VARCHAR[]))",
    Named.EXECUTIONS_BEGAN: """
SELECT job_id, min(t0) FROM stage_run JOIN job USING (job_id, execution)
WHERE job_id IN (SELECT unnest(?::VARCHAR[])) AND t0 IS NOT NULL GROUP BY job_id
""",
    Named.GATES_OPENED: """
SELECT how, count(*) FROM gate WHERE opened_at >= ? AND state IN ('open', 'released') GROUP BY how
""",
    Named.INPUTS: "SELECT DISTINCT stage, input_kind, input FROM provenance WHERE job_id = ? ORDER BY ALL",
    Named.JOBS_AFTER: "SELECT job_id, pipeline_name FROM job WHERE job_id > ? ORDER BY job_id",
    Named.JOBS_BY_KEY: """
SELECT job_id, doc_id FROM job
WHERE (doc_key = $1 OR starts_with(doc_id, $1)) AND ($2 IS NULL OR tenant_id = $2) ORDER BY doc_key != $1, age DESC LIMIT $3
""",
    Named.JOBS_BY_PREFIX: "SELECT job_id FROM job WHERE starts_with(job_id, ?) ORDER BY job_id LIMIT ?",
    Named.JOB_TOTALS: "SELECT pipeline_name, state, count(*) FROM job GROUP BY ALL",
    Named.LAST_DOCUMENTS: """
SELECT arg_max(j.job_id, j.age), j.doc_id, arg_max(s.ref, s.t1) FROM job j JOIN stage_run s USING (job_id)
WHERE ($1::VARCHAR IS NULL OR j.pipeline_name = $1) AND j.state = 'completed' AND s.kind = 'document' AND s.ref IS NOT NULL
GROUP BY j.tenant_id, j.doc_id ORDER BY max(j.age) DESC LIMIT $2
""",
    Named.STAGES_DONE: """
SELECT s.stage,
       count(DISTINCT s.job_id) FILTER (s.status IN ('completed', 'skipped')),
       count(DISTINCT s.job_id) FILTER (s.status = 'failed'),
       quantile_cont(s.ms, 0.5) FILTER (s.status = 'completed'),
       quantile_cont(s.ms, 0.95) FILTER (s.status = 'completed'),
       max(s.attempt), max(s.implementation), max(s.device)
FROM stage_run s JOIN job j USING (job_id)
WHERE j.pipeline_name = $1
GROUP BY s.stage
UNION ALL
SELECT g.gate,
       count(DISTINCT g.job_id) FILTER (g.state IN ('open', 'released')),
       count(DISTINCT g.job_id) FILTER (g.state IN ('failed', 'rejected')),
       NULL, NULL, NULL, NULL, NULL
FROM gate g JOIN job j USING (job_id)
WHERE j.pipeline_name = $1
GROUP BY g.gate
""",
    Named.STAGE_FLOWS: """
SELECT j.pipeline_name, s.stage,
       count(DISTINCT s.job_id) FILTER (s.status IN ('completed', 'skipped')),
       count(DISTINCT s.job_id) FILTER (s.t1 >= $1 AND s.status IN ('completed', 'skipped')),
       quantile_cont(s.ms, 0.95) FILTER (s.status = 'completed')
FROM stage_run s JOIN job j USING (job_id)
GROUP BY ALL
UNION ALL
SELECT j.pipeline_name, g.gate, count(DISTINCT g.job_id), count(DISTINCT g.job_id) FILTER (g.opened_at >= $1), NULL
FROM gate g JOIN job j USING (job_id)
WHERE g.state IN ('open', 'released')
GROUP BY ALL
""",
    Named.STAGE_TIMES: """
SELECT stage, avg(ms) FROM (
    SELECT stage, ms FROM stage_run WHERE status = 'completed' AND stage IN (SELECT unnest(?::VARCHAR[])) ORDER BY t1 DESC LIMIT ?
) GROUP BY stage
""",
    Named.STANDING_JOBS: """
SELECT pipeline_name, coalesce(current_stage, ''), state, count(*) FROM job
WHERE state IN ('queued', 'running', 'waiting_gate', 'failed', 'dead') GROUP BY ALL
""",
    Named.SUBMITTED_CONTENTS: f"""
SELECT record->>'$.spec.content', doc_id, doc_key, age FROM job WHERE tenant_id = ? AND source = ?
AND list_contains(?, regexp_extract(doc_id, '~([0-9a-f]{{{DIGITS}}})[0-9a-f]*$', 1))
""",
    Named.VERSIONS: """
SELECT doc_id, content, completed_at FROM document WHERE tenant_id = ? AND list_contains(?, doc_id)
""",
    Named.WAITING_FOR: """
SELECT job_id FROM gate WHERE state = 'waiting' AND json_extract_string(condition, '$.ledger_field') = ?
AND coalesce(evidence::VARCHAR, '{}') IN ('{}', 'null') ORDER BY waiting_since
""",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A SELECT with the values of its parameters."""

    sql: str
    parameters: Sequence[Any]


def statement(name: str, parameters: Sequence[Any]) -> Statement:
    """What a name and its parameters ask. Raises MalformedCommand."""
    try:
        if (build := _BUILT.get(Named(name))) is not None:
            return build(*parameters)
        return Statement(_SQL[Named(name)], parameters)
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedCommand(op="rows", detail=f"{name!r:.80} cannot be asked so: {error}") from None


def where(text: str) -> tuple[str, list[str]]:
    """A filter as a person types it, as a WHERE with its parameters; empty for an empty filter.

    Words are joined by and. `state:failed`, `pipeline:`, `stage:`, `kind:`, `source:`, `doc:`, `job:` and `seen:` look at one
    field (the beginning of its value suffices), any other word at the document, the job's id and the
    reason; `-` before a word turns it round.
    """
    conditions: list[str] = []
    parameters: list[str] = []
    for word in text.split():
        bare = word.removeprefix("-")
        if not bare:
            continue
        name, colon, value = bare.partition(":")
        if colon and name in _FIELDS:
            condition = f"coalesce({_FIELDS[name]}, '') LIKE ? ESCAPE '!'"
            parameters.append(_like(_STATES.get(value, value)) + "%")
        else:
            condition = "(concat_ws(' ', doc_id, job_id, reason, failure_kind) ILIKE ? ESCAPE '!')"
            parameters.append(f"%{_like(bare)}%")
        conditions.append(f"NOT {condition}" if word.startswith("-") else condition)
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", parameters


def _like(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


def _count(narrowed: str) -> Statement:
    condition, parameters = where(narrowed)
    return Statement(f"SELECT count(*) FROM job {condition}", parameters)


def _page(narrowed: str, sort: str, reverse: bool, limit: int, offset: int) -> Statement:
    condition, parameters = where(narrowed)
    order = SORTS[sort]
    if reverse:
        order = ", ".join(_turned(part) for part in order.split(", "))
    columns = ", ".join(JOB_COLUMNS)
    sql = f"SELECT {columns} FROM job {condition} ORDER BY {order} LIMIT {int(limit)} OFFSET {int(offset)}"
    return Statement(sql, parameters)


def _ids(narrowed: str, most: int) -> Statement:
    condition, parameters = where(narrowed)
    return Statement(f"SELECT job_id FROM job {condition} ORDER BY age DESC LIMIT {int(most)}", parameters)


def _turned(part: str) -> str:
    words = part.split()
    if words[-1] == "LAST":
        return f"{words[0]} DESC NULLS LAST"
    return f"{words[0]} {_REVERSED[words[-1]]}" if words[-1] in _REVERSED else f"{part} DESC"


_BUILT: Mapping[Named, Callable[..., Statement]] = {
    Named.JOB_COUNT: _count,
    Named.JOB_IDS: _ids,
    Named.JOB_PAGE: _page,
}
