"""Who acts, and which job a name means."""

import getpass
from typing import Any

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab


class NoSuchJob(LabError):
    """No job has the id {job_id!r} or a document of that id. `medkg-lab jobs list` shows the jobs."""


def person() -> str:
    """Who acts, as it is recorded."""
    return getpass.getuser()


def find_job(lab: Lab, name: str) -> dict[str, Any]:
    """The job with the id `name`, or the newest one of the document `name`. Raises NoSuchJob."""
    job: dict[str, Any] | None = lab.ledger.get(name)
    if job is None:
        of_document = lab.ledger.jobs(doc=name, limit=1)
        if not of_document:
            raise NoSuchJob(job_id=name)
        job = lab.ledger.get(of_document[0]["job_id"])
    assert job is not None, "a listed job can be read"
    return job
