"""How the stages and gates of a pipeline have done: how many documents are through each, and how long that took."""

from dataclasses import dataclass

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named

TIMEOUT_S = 3.0


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
    rows = ledger.rows(Named.STAGES_DONE, [pipeline], timeout_s=TIMEOUT_S).rows
    return {
        str(stage): Done(int(through), int(failed), p50, p95, int(tries or 0), str(by or ""), str(device or ""))
        for stage, through, failed, p50, p95, tries, by, device in rows
    }
