"""The tables that anyone may query: their columns, and the rows that jobs and events make.

Times are seconds since the epoch. Every table can be made again from the events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from medkg_lab.ledger.answers import GateRow, read
from medkg_lab.ledger.audit import Entry
from medkg_lab.ledger.state import DocumentKey, Gate, Job, Published, RunStatus, StageRun
from medkg_lab.models.event_codec import evidence_to_json
from medkg_lab.models.events import NO_EVIDENCE


@dataclass(frozen=True, eq=False)
class Table:
    """A table: its columns with their types, and how many of the first ones are its key.

    Without a key rows are only added.
    """

    name: str
    columns: Mapping[str, str]
    keys: int

    @property
    def ddl(self) -> str:
        """The statement that makes the table."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        key = f", PRIMARY KEY ({', '.join(list(self.columns)[: self.keys])})" if self.keys else ""
        return f"CREATE TABLE {self.name}({columns}{key})"

    @property
    def write(self) -> str:
        """The statement that adds or replaces rows, with one list parameter for each column."""
        values = ", ".join(f"unnest(?::{kind}[])" for kind in self.columns.values())
        return f"INSERT {'OR REPLACE ' if self.keys else ''}INTO {self.name} SELECT {values}"


JOB = Table(
    "job",
    {
        "job_id": "VARCHAR",
        "tenant_id": "VARCHAR",
        "correlation_id": "VARCHAR",
        "source": "VARCHAR",
        "doc_key": "VARCHAR",
        "doc_id": "VARCHAR",
        "pipeline_name": "VARCHAR",
        "pipeline_version": "VARCHAR",
        "priority": "INTEGER",
        "state": "VARCHAR",
        "current_stage": "VARCHAR",
        "half": "INTEGER",
        "segment": "INTEGER",
        "lane": "VARCHAR",
        "attempt": "INTEGER",
        "execution": "INTEGER",
        "version": "INTEGER",
        "batch": "VARCHAR",
        "worker": "VARCHAR",
        "run_id": "VARCHAR",
        "profile": "VARCHAR",
        "pdf_downloaded": "BOOLEAN",
        "pdf_ir_ready": "BOOLEAN",
        "post_pdf_started": "BOOLEAN",
        "fields": "JSON",
        "retry_count_per_stage": "JSON",
        "unchanged": "BOOLEAN",
        "failure_kind": "VARCHAR",
        "reason": "VARCHAR",
        "error": "VARCHAR",
        "own": "VARCHAR",
        "own_retries": "INTEGER",
        "created_at": "DOUBLE",
        "updated_at": "DOUBLE",
        "age": "BIGINT",
        "record": "JSON",
    },
    1,
)
STAGE_RUN = Table(
    "stage_run",
    {
        "job_id": "VARCHAR",
        "execution": "INTEGER",
        "stage": "VARCHAR",
        "half": "INTEGER",
        "batch": "VARCHAR",
        "attempt": "INTEGER",
        "status": "VARCHAR",
        "t0": "DOUBLE",
        "t1": "DOUBLE",
        "ms": "DOUBLE",
        "count": "BIGINT",
        "kind": "VARCHAR",
        "ref": "VARCHAR",
        "implementation": "VARCHAR",
        "device": "VARCHAR",
        "error": "VARCHAR",
        "reason": "VARCHAR",
        "place": "INTEGER",
    },
    3,
)
GATE = Table(
    "gate",
    {
        "job_id": "VARCHAR",
        "gate": "VARCHAR",
        "execution": "INTEGER",
        "doc_id": "VARCHAR",
        "state": "VARCHAR",
        "condition": "JSON",
        "evidence": "JSON",
        "stages": "JSON",
        "waiting_since": "DOUBLE",
        "opened_at": "DOUBLE",
        "opened_by": "VARCHAR",
        "how": "VARCHAR",
        "why": "VARCHAR",
        "partial": "BOOLEAN",
        "release_id": "VARCHAR",
    },
    3,
)
DOCUMENT = Table(
    "document",
    {
        "tenant_id": "VARCHAR",
        "doc_id": "VARCHAR",
        "job_id": "VARCHAR",
        "pipeline_name": "VARCHAR",
        "pipeline_version": "VARCHAR",
        "profile_version": "VARCHAR",
        "content": "VARCHAR",
        "completed_at": "DOUBLE",
    },
    2,
)
ARTIFACT = Table(
    "artifact",
    {
        "sha256": "VARCHAR",
        "kind": "VARCHAR",
        "job_id": "VARCHAR",
        "doc_id": "VARCHAR",
        "stage": "VARCHAR",
        "execution": "INTEGER",
        "count": "BIGINT",
        "created_at": "DOUBLE",
    },
    0,
)
PROVENANCE = Table(
    "provenance",
    {
        "sha256": "VARCHAR",
        "input": "VARCHAR",
        "input_kind": "VARCHAR",
        "job_id": "VARCHAR",
        "stage": "VARCHAR",
        "pipeline_name": "VARCHAR",
        "pipeline_version": "VARCHAR",
        "profile_version": "VARCHAR",
        "implementation": "VARCHAR",
        "created_at": "DOUBLE",
    },
    0,
)
DEFINITION = Table(
    "definition",
    {"kind": "VARCHAR", "name": "VARCHAR", "version": "VARCHAR", "content": "VARCHAR", "seq": "BIGINT"},
    3,
)
AUDIT = Table(
    "audit",
    {
        "seq": "BIGINT",
        "ts": "DOUBLE",
        "action": "VARCHAR",
        "actor": "VARCHAR",
        "subject": "VARCHAR",
        "jobs": "JSON",
        "before": "VARCHAR",
        "after": "VARCHAR",
        "why": "VARCHAR",
    },
    0,
)
MEMORY = Table("memory", {"name": "VARCHAR", "record": "JSON"}, 1)
POSITION = Table("position", {"name": "VARCHAR", "seq": "BIGINT"}, 1)
TABLES = (JOB, STAGE_RUN, GATE, DOCUMENT, ARTIFACT, PROVENANCE, AUDIT, DEFINITION, MEMORY, POSITION)

Row = tuple[Any, ...]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def job_row(job: Job, record: str) -> Row:
    """The row of table job; `record` is what the job is brought back to memory from."""
    spec, fields = job.spec, job.fields
    return (
        job.id,
        spec.tenant_id,
        spec.correlation_id,
        spec.source,
        spec.doc_key,
        spec.doc_id,
        spec.pipeline,
        spec.pipeline_version,
        spec.priority,
        job.state.value,
        job.stage,
        job.half,
        job.segment,
        job.lane,
        job.attempt,
        job.execution,
        job.version,
        job.batch,
        job.worker,
        job.run_id,
        job.profile,
        *(fields.get(name) is True for name in ("pdf_downloaded", "pdf_ir_ready", "post_pdf_started")),
        _json(fields),
        _json(job.retries),
        job.unchanged,
        job.failure_kind,
        job.reason,
        job.error,
        job.own,
        job.own_retries,
        job.created_at,
        job.updated_at,
        job.age,
        record,
    )


def stage_row(job: Job, place: int, run: StageRun) -> Row:
    """The row of table stage_run for the `place`-th of a job's stage runs."""
    return (
        job.id,
        run.execution,
        run.stage,
        run.half,
        run.batch,
        run.attempt,
        run.status.value,
        run.t0,
        run.t1,
        run.ms,
        run.count,
        run.kind,
        run.ref,
        run.implementation,
        run.device,
        run.error,
        run.reason,
        place,
    )


def stage_run(row: Sequence[Any]) -> StageRun:
    """What a row of table stage_run says, with or without its place."""
    _, execution, stage, half, batch, attempt, status, *rest = row[: len(STAGE_RUN.columns) - 1]
    return StageRun(stage, execution, half, batch, attempt, RunStatus(status), *rest)


def gate_row(job: Job, gate: Gate) -> Row:
    """The row of table gate."""
    return (
        job.id,
        gate.gate,
        gate.execution,
        job.spec.doc_id,
        gate.state.value,
        _json(gate.condition),
        _json(evidence_to_json(job.evidence.get(gate.condition.ledger_field, NO_EVIDENCE))),
        _json(gate.stages),
        gate.waiting_since,
        gate.opened_at,
        gate.opened_by,
        gate.how,
        gate.why,
        gate.partial,
        gate.release_id,
    )


def gate_from(row: Sequence[Any]) -> GateRow:
    """What a row of table gate says."""
    values = dict(zip(GATE.columns, row, strict=True))
    parsed = {name: orjson.loads(values[name]) for name, kind in GATE.columns.items() if kind == "JSON"}
    return read({**values, **parsed}, GateRow)


def document_row(key: DocumentKey, last: Published) -> Row:
    """The row of table document: the job that last completed for it."""
    return (*key, last.job_id, last.pipeline, last.pipeline_version, last.profile_version, last.content, last.at)


def audit_row(entry: Entry) -> Row:
    """The row of table audit."""
    place = (entry.seq, entry.ts, entry.action, entry.by, entry.subject)
    return (*place, _json(entry.jobs), entry.before, entry.after, entry.why)


def published(row: Iterable[Any]) -> tuple[DocumentKey, Published]:
    """What a row of table document says."""
    tenant, doc, job_id, pipeline, version, profile_version, content, at = row
    return (tenant, doc), Published(job_id, pipeline, version, profile_version, content, at)
