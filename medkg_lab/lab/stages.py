"""How the stages and gates of a pipeline have done: how many documents are through each, and how long that took."""

from dataclasses import dataclass

from medkg_lab.ledger.client import LedgerClient

TIMEOUT_S = 3.0
_SQL = """
SELECT s.stage,
       count(DISTINCT s.job_id) FILTER (s.status IN ('completed', 'skipped')),
       count(DISTINCT s.job_id) FILTER (s.status = 'failed'),
       quantile_cont(s.ms, 0.5) FILTER (s.status = 'completed'),
       quantile_cont(s.ms, 0.95) FILTER (s.status = 'completed'),
       max(s.attempt), max(s.implementation), max(s.device)
FROM stage_run s JOIN job j USING (job_id)
WHERE j.pipeline_name = ?
GROUP BY s.stage
UNION ALL
SELECT g.gate,
       count(DISTINCT g.job_id) FILTER (g.state IN ('open', 'released')),
       count(DISTINCT g.job_id) FILTER (g.state IN ('failed', 'rejected')),
       NULL, NULL, NULL, NULL, NULL
FROM gate g JOIN job j USING (job_id)
WHERE j.pipeline_name = ?
GROUP BY g.gate
"""


@dataclass(frozen=True)
class Done:
    """What came of a stage: jobs through it and failed at it, its times in ms, its most tries, and by what it was done."""

    through: int
    failed: int
    p50: float | None
    p95: float | None
    tries: int
    implementation: str
    device: str


def stages_done(ledger: LedgerClient, pipeline: str) -> dict[str, Done]:
    """What came of each stage and gate of a pipeline so far. Raises QueryTimeout."""
    rows = ledger.rows(_SQL, [pipeline, pipeline], timeout_s=TIMEOUT_S).rows
    return {
        str(stage): Done(int(through), int(failed), p50, p95, int(tries or 0), str(by or ""), str(device or ""))
        for stage, through, failed, p50, p95, tries, by, device in rows
    }
