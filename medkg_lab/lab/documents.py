"""Looking at documents: what the stages of a job made of one, and what is published of several."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.errors import LabError
from medkg_lab.knowledge.answers import PublishedDocument
from medkg_lab.lab.document_formats import Parsed
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import find_job
from medkg_lab.ledger.errors import DocumentGone
from medkg_lab.models.events import DELETED
from medkg_lab.stages.kinds import KINDS


class NotParsedYet(LabError):
    """{doc_id} has no text yet: its newest job is {state}. `medkg-lab jobs why {job_id}` says what it waits for."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


def parsed(lab: Lab, name: str) -> Parsed:
    """What was made of the document `name` by the newest of its jobs that parsed it.

    Raises NoSuchJob, SeveralDocuments, DocumentGone, NotParsedYet, ArtifactMissing and ArtifactDamaged.
    """
    newest = find_job(lab, name)
    doc_id = newest.doc_id
    if DELETED in newest.fields:
        raise DocumentGone(doc_id=doc_id, job_id=newest.job_id)
    every = [newest, *lab.ledger.jobs(doc=doc_id, tenant=newest.tenant_id, limit=1000)]
    for job in every:
        if job.doc_id == doc_id and "document" in job.outputs:
            return _read(lab, job.outputs)
    raise NotParsedYet(doc_id=doc_id, state=newest.state, job_id=newest.job_id)


def _read(lab: Lab, outputs: Mapping[str, str]) -> Parsed:
    store = ArtifactStore(lab.locations.data / "artifacts")
    try:
        made = {
            kind: KINDS[kind].decode(store.get(outputs[kind]))
            for kind in ("document", "chunks", "extraction")
            if kind in outputs
        }
    finally:
        store.close()
    return Parsed(made["document"], made.get("chunks", ()), made.get("extraction"))


def published(lab: Lab, doc_ids: Iterable[str], tenant: str) -> list[PublishedDocument]:
    """The published documents with these ids, each once and in their order."""
    found = []
    for doc_id in dict.fromkeys(doc_ids):
        # A page begins behind an id: the greatest text that is smaller than this one leads to it.
        page = lab.knowledge.documents(tenant, limit=1, after=_before(doc_id))
        found += [one for one in page if one.doc_id == doc_id]
    return found


def _before(text: str) -> str:
    """A text that sorts before `text`, with no id of a document between them."""
    return f"{text[:-1]}{chr(ord(text[-1]) - 1)}\U0010ffff"
