"""Parts of long lists: a window of the jobs in any order, where unfinished jobs stand, the end of a log."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from medkg_lab.ledger.answers import JobDetail, read
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.state import JobState
from medkg_lab.models.events import ACKNOWLEDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A row of table job as the screen's list shows it; times are seconds since the epoch.

    `began_at` is when the job's last execution began, or when it was submitted if it has had no other.
    """

    job_id: str
    doc_id: str
    pipeline_name: str
    state: JobState
    current_stage: str | None
    attempt: int
    execution: int
    created_at: float
    updated_at: float
    failure_kind: str | None
    reason: str | None
    run_id: str | None
    worker: str | None
    source: str
    began_at: float


COLUMNS = tuple(each.name for each in fields(ListedJob) if each.name != "began_at")
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
_STATES = {"gate": "waiting_gate"}
_REVERSED = {"DESC": "ASC", "ASC": "DESC"}
TIMEOUT_S = 3.0


@dataclass(frozen=True)
class JobPage:
    """Rows `offset` and following of the jobs that fit, and how many fit in all."""

    offset: int
    total: int
    rows: Sequence[ListedJob]


def where(text: str) -> tuple[str, list[str]]:
    """A filter as a person types it, as an SQL condition with its parameters.

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
    return " AND ".join(conditions), parameters


def _like(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


def jobs(ledger: LedgerClient, narrowed: str, sort: str, reverse: bool, offset: int, limit: int) -> JobPage:
    """A window of the jobs that `narrowed` leaves, in the order `sort` (of SORTS). Raises QueryTimeout."""
    condition, parameters = where(narrowed)
    clause = f"WHERE {condition}" if condition else ""
    order = SORTS[sort]
    if reverse:
        order = ", ".join(_turned(part) for part in order.split(", "))
    counted = ledger.rows(f"SELECT count(*) FROM job {clause}", parameters, timeout_s=TIMEOUT_S)
    listed = ledger.rows(
        f"SELECT {', '.join(COLUMNS)} FROM job {clause} ORDER BY {order} LIMIT {int(limit)} OFFSET {int(offset)}",
        parameters,
        limit=max(1, limit),
        timeout_s=TIMEOUT_S,
    )
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in listed.rows]
    began = _began(ledger, [row["job_id"] for row in rows if row["execution"] > 1])
    rows = [{**row, "began_at": began.get(row["job_id"], row["created_at"])} for row in rows]
    return JobPage(offset, int(counted.rows[0][0]), read(rows, list[ListedJob]))


def _began(ledger: LedgerClient, job_ids: Sequence[str]) -> dict[str, float]:
    """When those of the jobs that have begun their last execution began it, in seconds since the epoch."""
    if not job_ids:
        return {}
    sql = f"""SELECT job_id, min(t0) FROM stage_run JOIN job USING (job_id, execution)
              WHERE job_id IN ({", ".join("?" * len(job_ids))}) AND t0 IS NOT NULL GROUP BY job_id"""
    return dict(ledger.rows(sql, job_ids, limit=len(job_ids), timeout_s=TIMEOUT_S).rows)


def began_at(job: JobDetail) -> float:
    """When the last execution of a job, as the ledger's client gets it, began (seconds since the epoch)."""
    runs = [run.t0 for run in job.stages if run.execution == job.execution and run.t0]
    return min(runs) if job.execution > 1 and runs else job.created_at


def job_ids(ledger: LedgerClient, narrowed: str, most: int) -> list[str]:
    """The ids of at most so many of the jobs that `narrowed` leaves, the newest first. Raises QueryTimeout."""
    condition, parameters = where(narrowed)
    clause = f"WHERE {condition}" if condition else ""
    sql = f"SELECT job_id FROM job {clause} ORDER BY age DESC LIMIT {int(most)}"
    return [str(row[0]) for row in ledger.rows(sql, parameters, limit=max(1, most), timeout_s=TIMEOUT_S).rows]


def _turned(part: str) -> str:
    words = part.split()
    if words[-1] == "LAST":
        return f"{words[0]} DESC NULLS LAST"
    return f"{words[0]} {_REVERSED[words[-1]]}" if words[-1] in _REVERSED else f"{part} DESC"


def flow(ledger: LedgerClient) -> dict[str, dict[str, dict[str, int]]]:
    """How many unfinished or stuck jobs stand where: {pipeline: {stage: {state: jobs}}}; jobs before any stage are at ''."""
    sql = (
        "SELECT pipeline_name, coalesce(current_stage, ''), state, count(*) FROM job "
        "WHERE state IN ('queued', 'running', 'waiting_gate', 'failed', 'dead') GROUP BY ALL"
    )
    found: dict[str, dict[str, dict[str, int]]] = {}
    for pipeline, stage, state, count in ledger.rows(sql, timeout_s=TIMEOUT_S).rows:
        found.setdefault(pipeline, {}).setdefault(stage, {})[state] = int(count)
    return found


def totals(ledger: LedgerClient) -> dict[str, dict[str, int]]:
    """How many jobs each pipeline has in each state."""
    sql = "SELECT pipeline_name, state, count(*) FROM job GROUP BY ALL"
    found: dict[str, dict[str, int]] = {}
    for pipeline, state, count in ledger.rows(sql, timeout_s=TIMEOUT_S).rows:
        found.setdefault(pipeline, {})[state] = int(count)
    return found


def acknowledged(ledger: LedgerClient) -> dict[str, int]:
    """How many failed and dead jobs were seen and put aside, by state."""
    sql = f"SELECT state, count(*) FROM job WHERE state IN ('failed', 'dead') AND {_SEEN} GROUP BY state"
    return {str(state): int(count) for state, count in ledger.rows(sql, timeout_s=TIMEOUT_S).rows}


def inputs(ledger: LedgerClient, job_id: str) -> dict[str, list[tuple[str, str]]]:
    """What each stage of a job was made from: {stage: [(kind, sha256)]}."""
    sql = "SELECT DISTINCT stage, input_kind, input FROM provenance WHERE job_id = ? ORDER BY ALL"
    found: dict[str, list[tuple[str, str]]] = {}
    for stage, kind, sha256 in ledger.rows(sql, [job_id], timeout_s=TIMEOUT_S).rows:
        found.setdefault(stage, []).append((kind, sha256))
    return found


def lineage(ledger: LedgerClient, job_id: str) -> list[tuple[str, int, int]]:
    """What a job made: (kind, artifacts, items in them), in the order it was made."""
    sql = (
        "SELECT kind, count(DISTINCT sha256), sum(count) FROM artifact WHERE job_id = ? "
        "GROUP BY kind ORDER BY min(created_at)"
    )
    rows = ledger.rows(sql, [job_id], timeout_s=TIMEOUT_S).rows
    return [(str(kind), int(number), int(items or 0)) for kind, number, items in rows]


def log_names(folder: Path) -> list[str]:
    """The processes that have written a log, by name."""
    return sorted(path.stem for path in folder.glob("*.log"))


def log_tail(path: Path, after: int | None, most: int) -> tuple[list[str], int]:
    """The whole lines of a log from byte `after` on, and the byte to go on from; at most the last `most` bytes.

    With None for `after` it begins `most` bytes before the end. A log that became shorter is read from its beginning.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return [], 0
    start = max(0, size - most) if after is None or after > size else max(after, size - most)
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(size - start)
    end = data.rfind(b"\n") + 1
    lines = data[:end].decode(errors="replace").splitlines()
    if start and after is None and lines:
        lines = lines[1:]
    return lines, start + end
