"""Running many jobs again at once: those that failed, or were given up, as far as a person chooses."""

from medkg_lab.ledger.client import LedgerClient

PAGE = 1000


def retry_all(
    ledger: LedgerClient, by: str, state: str, kind: str | None = None, pipeline: str | None = None
) -> list[str]:
    """Run all jobs in `state` again, those of `kind` and of `pipeline` if given, and return their ids.

    It may be repeated: a job that runs again already is in the state no longer.
    """
    retried: list[str] = []
    after: str | None = None
    while page := ledger.jobs(state=state, pipeline=pipeline, limit=PAGE, after=after):
        after = page[-1].job_id
        chosen = [job.job_id for job in page if kind is None or job.failure_kind == kind]
        if chosen:
            retried += ledger.retry_many(chosen, state, kind, by=by)
    return retried
