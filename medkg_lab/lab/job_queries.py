"""Parts of long lists: a window of the jobs in any order, where unfinished jobs stand, the end of a log."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.ledger.answers import JobDetail, read
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import JOB_COLUMNS, Named
from medkg_lab.ledger.state import JobState


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


TIMEOUT_S = 3.0


@dataclass(frozen=True)
class JobPage:
    """Rows `offset` and following of the jobs that fit, and how many fit in all."""

    offset: int
    total: int
    rows: Sequence[ListedJob]


def jobs(ledger: LedgerClient, narrowed: str, sort: str, reverse: bool, offset: int, limit: int) -> JobPage:
    """A window of the jobs that `narrowed` leaves, in the order `sort` (of SORTS). Raises QueryTimeout."""
    counted = ledger.rows(Named.JOB_COUNT, [narrowed], timeout_s=TIMEOUT_S)
    window = [narrowed, sort, reverse, limit, offset]
    listed = ledger.rows(Named.JOB_PAGE, window, limit=max(1, limit), timeout_s=TIMEOUT_S)
    rows = [dict(zip(JOB_COLUMNS, row, strict=True)) for row in listed.rows]
    began = _began(ledger, [row["job_id"] for row in rows if row["execution"] > 1])
    rows = [{**row, "began_at": began.get(row["job_id"], row["created_at"])} for row in rows]
    return JobPage(offset, int(counted.rows[0][0]), read(rows, list[ListedJob]))


def _began(ledger: LedgerClient, job_ids: Sequence[str]) -> dict[str, float]:
    """When those of the jobs that have begun their last execution began it, in seconds since the epoch."""
    if not job_ids:
        return {}
    return dict(ledger.rows(Named.EXECUTIONS_BEGAN, [list(job_ids)], limit=len(job_ids), timeout_s=TIMEOUT_S).rows)


def began_at(job: JobDetail) -> float:
    """When the last execution of a job, as the ledger's client gets it, began (seconds since the epoch)."""
    runs = [run.t0 for run in job.stages if run.execution == job.execution and run.t0]
    return min(runs) if job.execution > 1 and runs else job.created_at


def job_ids(ledger: LedgerClient, narrowed: str, most: int) -> list[str]:
    """The ids of at most so many of the jobs that `narrowed` leaves, the newest first. Raises QueryTimeout."""
    rows = ledger.rows(Named.JOB_IDS, [narrowed, most], limit=max(1, most), timeout_s=TIMEOUT_S).rows
    return [str(row[0]) for row in rows]


def flow(ledger: LedgerClient) -> dict[str, dict[str, dict[str, int]]]:
    """How many unfinished or stuck jobs stand where: {pipeline: {stage: {state: jobs}}}; jobs before any stage are at ''."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for pipeline, stage, state, count in ledger.rows(Named.STANDING_JOBS, timeout_s=TIMEOUT_S).rows:
        found.setdefault(pipeline, {}).setdefault(stage, {})[state] = int(count)
    return found


def totals(ledger: LedgerClient) -> dict[str, dict[str, int]]:
    """How many jobs each pipeline has in each state."""
    found: dict[str, dict[str, int]] = {}
    for pipeline, state, count in ledger.rows(Named.JOB_TOTALS, timeout_s=TIMEOUT_S).rows:
        found.setdefault(pipeline, {})[state] = int(count)
    return found


def acknowledged(ledger: LedgerClient) -> dict[str, int]:
    """How many failed and dead jobs were seen and put aside, by state."""
    return {str(state): int(count) for state, count in ledger.rows(Named.ACKNOWLEDGED_JOBS, timeout_s=TIMEOUT_S).rows}


def inputs(ledger: LedgerClient, job_id: str) -> dict[str, list[tuple[str, str]]]:
    """What each stage of a job was made from: {stage: [(kind, sha256)]}."""
    found: dict[str, list[tuple[str, str]]] = {}
    for stage, kind, sha256 in ledger.rows(Named.INPUTS, [job_id], timeout_s=TIMEOUT_S).rows:
        found.setdefault(stage, []).append((kind, sha256))
    return found


def lineage(ledger: LedgerClient, job_id: str) -> list[tuple[str, int, int]]:
    """What a job made: (kind, artifacts, items in them), in the order it was made."""
    rows = ledger.rows(Named.ARTIFACTS, [job_id], timeout_s=TIMEOUT_S).rows
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
