"""Who acts, and which job a name means."""

import getpass
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.answers import JobDetail, JobRow
from medkg_lab.ledger.named_queries import Named
from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.models.identity import FILE_SOURCE

DEFAULT_TENANT = "default"
_SOURCES = {
    Scheme.NCT: ("clinicaltrials",),
    Scheme.PMC: ("pmc", "pmc-fulltext", "bioc"),
    Scheme.PMID: ("pubmed", "bioc"),
    Scheme.DOI: ("pmc", "unpaywall", "tei", "bioc"),
}
"""Whose documents have such identifiers for keys, the fullest first."""
_LOOKED_AT = 1000
_SHOWN = 10
TIMEOUT_S = 5.0
_ID_PREFIX = re.compile(r"[0-9a-f-]{4,36}")
"""So much of a job's id is told apart from a document's."""


class SeveralDocuments(LabError):
    """{name} is the name of {count} documents: {ids}. Write the whole id of the one that you mean."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class SeveralJobs(LabError):
    """{name} begins the ids of {count} jobs: {ids}. Write more of the id of the one that you mean."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class NoSuchJob(LabError):
    """No job has the id {job_id!r} or a document of that id. `medkg-lab jobs list` shows the jobs."""

    exit_code: ClassVar[int] = exit_codes.USAGE


def person() -> str:
    """Who acts, as it is recorded."""
    return getpass.getuser()


def find_job(lab: Lab, name: str) -> JobDetail:
    """The job with the id `name`, or the only one whose id begins so; or the newest one of the document `name`, which may be
    written as its source's key alone. Raises NoSuchJob, SeveralJobs and SeveralDocuments."""
    job = lab.ledger.get(name)
    if job is None and (job_id := _by_prefix(lab, name)) is not None:
        job = lab.ledger.get(job_id)
    if job is None:
        job = lab.ledger.get(_newest(lab, name).job_id)
    assert job is not None, "a listed job can be read"
    return job


def _by_prefix(lab: Lab, name: str) -> str | None:
    """The only job whose id begins with `name`. Raises SeveralJobs."""
    if not _ID_PREFIX.fullmatch(name):
        return None
    ids = [str(row[0]) for row in lab.ledger.rows(Named.JOBS_BY_PREFIX, [name, _SHOWN + 1], timeout_s=TIMEOUT_S).rows]
    if len(ids) > 1:
        raise SeveralJobs(
            name=name, count=len(ids) if len(ids) <= _SHOWN else f"more than {_SHOWN}", ids=", ".join(ids[:_SHOWN])
        )
    return ids[0] if ids else None


@dataclass(frozen=True, slots=True)
class _Named:
    """A job by its id, and the document that it is about."""

    job_id: str
    doc_id: str


def _by_key(lab: Lab, name: str, tenant: str | None) -> list[_Named]:
    """The jobs of the documents whose key at their source is `name`, or whose id begins so, the newest first."""
    asked = [name, tenant, _LOOKED_AT]
    rows = lab.ledger.rows(Named.JOBS_BY_KEY, asked, limit=_LOOKED_AT, timeout_s=TIMEOUT_S).rows
    return [_Named(str(job_id), str(doc_id)) for job_id, doc_id in rows]


def find_document(lab: Lab, name: str, tenant: str | None = None) -> str:
    """The id of the document `name`, of `tenant` or of any; it may be written without the hash behind it.

    Raises NoSuchJob and SeveralDocuments.
    """
    return _newest(lab, name, tenant).doc_id


def replaced_version(lab: Lab, job: JobRow) -> JobRow | None:
    """The newest older job of the same document with another content; None without one."""
    older = lab.ledger.jobs(doc=job.doc_id, tenant=job.tenant_id, limit=_LOOKED_AT, after=job.job_id)
    for one in older:
        if one.doc_id == job.doc_id and _differ(one, job):
            return one
    return None


def _differ(one: JobRow, other: JobRow) -> bool:
    """Whether the contents of two jobs are known and differ: as they were submitted, or else as they were fetched."""
    submitted = one.content, other.content
    fetched = one.outputs.get("payload"), other.outputs.get("payload")
    first, second = submitted if None not in submitted else fetched
    return None not in (first, second) and first != second


def find_node(lab: Lab, name: str) -> str:
    """The graph's node for `name`, as people write it; what is neither a document nor an identifier is left as it is.

    A document of a file may be written without the hash behind it, a trial or an article by any of its identifiers. Raises
    SeveralDocuments.
    """
    if (identifier := parse(name)) is not None:
        if identifier.scheme is Scheme.NCT:
            return f"nct:{identifier.value}"
        known = lab.knowledge.identified(str(identifier))
        return known[0].node_id if known else name
    prefix, _, rest = name.partition(":")
    if prefix not in ("doc", FILE_SOURCE):
        return name
    try:
        return f"doc:{find_document(lab, rest if prefix == 'doc' else name)}"
    except NoSuchJob:
        return name


def _newest(lab: Lab, name: str, tenant: str | None = None) -> JobRow | _Named:
    """The newest job of the document `name`: of that id, or else of that name. Raises NoSuchJob and SeveralDocuments."""
    named = lab.ledger.jobs(doc=unicodedata.normalize("NFC", name), tenant=tenant, limit=_LOOKED_AT)
    exact = [job for job in named if job.doc_id == name]
    if exact:
        return exact[0]
    jobs: Sequence[JobRow | _Named] = named or _by_key(lab, name, tenant)
    ids = list(dict.fromkeys(job.doc_id for job in jobs))
    if len(ids) > 1:
        shown = ", ".join(ids[:_SHOWN]) + (" and more" if len(ids) > _SHOWN else "")
        raise SeveralDocuments(name=name, count=len(ids), ids=shown)
    return jobs[0] if jobs else _newest_identified(lab, name, tenant)


def _newest_identified(lab: Lab, name: str, tenant: str | None) -> JobRow:
    """The newest job of the document that the identifier `name` is of. Raises NoSuchJob."""
    identifier = parse(name)
    if identifier is None:
        raise NoSuchJob(job_id=name)
    ids = [f"{source}:{identifier.value}" for source in _SOURCES[identifier.scheme]]
    for doc_id in ids:
        if jobs := lab.ledger.jobs(doc=doc_id, tenant=tenant, limit=1):
            return jobs[0]
    for known in lab.knowledge.identified(str(identifier), tenant or DEFAULT_TENANT):
        if jobs := lab.ledger.jobs(doc=known.doc_id, tenant=tenant, limit=1):
            return jobs[0]
    raise NoSuchJob(job_id=name)
