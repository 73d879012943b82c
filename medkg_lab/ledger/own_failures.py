"""Jobs that ended because a process of the lab itself was at fault: which of them the lab runs again, when, and how often.

The mark is set when the failure is recorded, by whoever knows whose fault it was: the engine, for a process that a stage needed,
and the ledger, for a job that was alone in batches whose engines were lost. Nothing else is ever run again by itself.
"""

from collections.abc import Mapping

ENGINE = "engine"
"""What a job's `own` says when its engines were lost. That may be the document's doing, so each further try has one loss."""
MAX_LOSSES = 3
"""So many batches may be lost while a job is alone in them; then it is dead."""
PAUSES = (20.0, 300.0)
"""Seconds from the failure to the first retry, and from the next failure to the second; after that the job stays as it is."""
BY = "lab"
"""Who has a job run again that the lab runs again by itself."""


def runs_again(own: str | None, retries: int) -> bool:
    """Whether the lab runs a job again by itself that ended with this mark, after so many such retries."""
    return own is not None and retries < len(PAUSES)


def due_at(own: str | None, retries: int, failed_at: float) -> float | None:
    """When a job that failed at `failed_at` may run again by itself; None when it may not."""
    return failed_at + PAUSES[retries] if runs_again(own, retries) else None


def due(waiting: Mapping[str, float], now: float, most: int) -> list[str]:
    """Up to `most` of the jobs whose time has come, those that wait longest first."""
    ready = [job_id for job_id, at in waiting.items() if at <= now]
    return sorted(ready, key=waiting.__getitem__)[:most]
