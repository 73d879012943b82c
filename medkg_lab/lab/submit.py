"""Submitting: local documents and remote ids become requests on the work queue."""

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medkg_lab import exit_codes
from medkg_lab.artifacts.naming import naming
from medkg_lab.artifacts.store import ArtifactStore, WriterInUse
from medkg_lab.bridge.messages import request_message
from medkg_lab.bridge.specs import pipeline_of
from medkg_lab.broker.client import Producer
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.lab.disk_space import require_room
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.identity import Identified, Identities
from medkg_lab.lab.lookup import find_document
from medkg_lab.lab.targets import Remote, resolve
from medkg_lab.models.events import DELETED
from medkg_lab.models.submission import Content, Submission
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.signing import REQUESTS, signer
from medkg_lab.sources import catalog
from medkg_lab.sources.documents import PARTIAL, LocalDocument
from medkg_lab.sources.errors import UnknownSource
from medkg_lab.sources.files import Skipped, expand
from medkg_lab.sources.idconv import IdConverter
from medkg_lab.validation import first_flaw

GROUP_BYTES = 8 * 1024 * 1024
GROUP_DOCUMENTS = 64
"""Local documents are kept in groups of at most so many bytes and documents: one append and one fdatasync each."""
WRITERS = 8
FLUSH_S = 60.0
POLL_S = 0.2
_DELETED = "was deleted; only --again takes it in once more"
_POORER = "a row of a table holds less, and replaces it with --again only"


class BadSubmission(LabError):
    """Nothing was submitted: {field} is refused, because {detail}. `medkg-lab submit --help` says what each option takes."""

    exit_code = exit_codes.USAGE


@dataclass(frozen=True)
class Submitted:
    """A request that is on the queue: the job it stands for, whether that job was there before, and what its content is.

    `content` is `new`, `known` or `replaces`, and empty for what is yet to be fetched; `note` says more, for a person.
    """

    job_id: str
    doc_id: str
    pipeline: str
    already: bool
    content: str = ""
    note: str = ""


@dataclass(frozen=True)
class SubmitOptions:
    """What holds for every document of one call."""

    source: str | None = None
    pipeline: str | None = None
    is_query: bool = False
    again: bool = False
    limit: int = 100
    tenant: str = "default"
    replaces: str | None = None


@dataclass
class SubmitOutcome:
    """What a call submitted, and the files it skipped with the reason."""

    jobs: list[Submitted] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def submit(lab: Lab, targets: Iterable[str], options: SubmitOptions) -> SubmitOutcome:
    """Put a request for every document of `targets` on the work queue; returns once the broker has all of them on disk.

    What the work queue would set aside is refused before anything is put there. Raises NoSuchJob and SeveralDocuments for what
    `replaces` names, UnknownTarget, UnknownSource, UnknownPipeline, TopologyInvalid, BadSubmission, LabNotRunning, NoRoomOnDisk,
    and what the broker's client raises when the broker does not take them.
    """
    resolved = [resolve(target, options.source, options.is_query) for target in targets]
    common = _common(options)
    for target in resolved:
        if isinstance(target, Remote):
            _request(common, target)
    if options.pipeline is not None:
        lab.catalog.topology(options.pipeline)
    lab.require_running()
    require_room(lab.locations)
    paths = [one for one in resolved if isinstance(one, Path)]
    if options.replaces is not None:
        common |= {"replaces": _replaced(lab, options, paths, len(resolved))}
    queue = _Queue(lab, is_new=options.again)
    with naming(queue.artifacts):
        return _submit_all(lab, options, resolved, common, queue)


def _submit_all(
    lab: Lab, options: SubmitOptions, resolved: Sequence[Remote | Path], common: dict[str, object], queue: "_Queue"
) -> SubmitOutcome:
    remote = [_request(common, _known(lab, one, options.tenant)) for one in resolved if isinstance(one, Remote)]
    outcome = SubmitOutcome(queue.put([Identified(one, "new") for one in remote]))
    identities = Identities(lab.ledger, options.tenant)
    for path in resolved:
        if isinstance(path, Path):
            _submit_path(path, common, queue, identities, outcome)
    queue.flush()
    return outcome


def _common(options: SubmitOptions) -> dict[str, object]:
    """The fields of every request of one call. Raises BadSubmission."""
    fields = {"tenant_id": options.tenant, "limit": options.limit, "pipeline": options.pipeline}
    fields |= {"again": uuid.uuid4().hex if options.again else None}
    _made(source="file", key="any", **fields)
    return fields


def _made(**fields: Any) -> Submission:
    try:
        return Submission(**fields)
    except ValidationError as error:
        flaw = first_flaw(error.errors())
        raise BadSubmission(field=flaw.field, detail=flaw.message) from None


def _request(common: dict[str, object], target: Remote) -> Submission:
    if target.source not in catalog.names():
        raise UnknownSource(source=target.source, known=", ".join(catalog.names()))
    return _made(**common, source=target.source, key=target.key, query=target.query)


def _known(lab: Lab, target: Remote, tenant: str) -> Remote:
    """Where a document of the lab says what a DOI or a PubMed id is in PubMed Central, that; else `target` as it is."""
    if target.source != IdConverter.name or target.query is None:
        return target
    try:
        found = lab.knowledge.identified(target.query, tenant)
    except PeerUnreachable:
        return target
    key = next((one.pmc for one in found if one.pmc is not None), "")
    return Remote("pmc", key) if key else target


def _replaced(lab: Lab, options: SubmitOptions, paths: Sequence[Path], targets: int) -> str:
    """The id of the document that one file is the new version of. Raises BadSubmission, NoSuchJob and SeveralDocuments."""
    documents = list(islice(expand(paths[0]), 2)) if targets == len(paths) == 1 else []
    if len(documents) != 1:
        raise BadSubmission(field="--replaces", detail="a new version is one file with one document in it")
    return find_document(lab, options.replaces or "", options.tenant)


def _submit_path(
    path: Path, common: dict[str, object], queue: "_Queue", identities: Identities, outcome: SubmitOutcome
) -> None:
    store = _open_store(queue.artifacts)
    try:
        documents = expand(path)
        for group in _groups(documents):
            hashes = store.put_many([document.data for document in group])
            requests = [_local(common, one, sha256) for one, sha256 in zip(group, hashes, strict=True)]
            identified = identities.of(requests)
            poorer = [one.submission for one in identified if one.is_poorer]
            if not queue.is_new:
                outcome.skipped += [Skipped(path, f"{one.doc_id} is there already; {_POORER}") for one in poorer]
            outcome.jobs += queue.put([one for one in identified if not one.is_poorer or queue.is_new])
        outcome.skipped += documents.skipped
    finally:
        store.close()


def _local(common: dict[str, object], document: LocalDocument, sha256: str) -> Submission:
    content = Content(sha256=sha256, media_type=document.media_type, size=len(document.data), name=document.name)
    more: dict[str, object] = {"pipeline": common["pipeline"] or document.pipeline}
    if document.partial:
        more["metadata"] = {PARTIAL: "yes"}
    return _made(**common | more, source=document.source, key=document.key, content=content)


def _groups(documents: Iterable[LocalDocument]) -> Iterator[list[LocalDocument]]:
    group: list[LocalDocument] = []
    size = 0
    for document in documents:
        group.append(document)
        size += len(document.data)
        if size >= GROUP_BYTES or len(group) >= GROUP_DOCUMENTS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _open_store(root: Path) -> ArtifactStore:
    """A store to write in: several submits may run at once, each with packs of its own, and few packs are ever made."""
    for number in range(1, WRITERS):
        try:
            return ArtifactStore(root, f"submit-{number}")
        except WriterInUse:
            continue
    return ArtifactStore(root, f"submit-{WRITERS}")


class _Queue:
    """The work queue, as a producer sees it."""

    def __init__(self, lab: Lab, is_new: bool) -> None:
        """`is_new` says that no job of these requests can be there already."""
        self._lab = lab
        self.is_new = is_new
        self._topic = Topics(lab.settings.broker.topic_prefix).requests
        self._producer = Producer(lab.bootstrap)
        self._signer = signer(lab.locations, REQUESTS)
        self._sent: set[str] = set()

    @property
    def artifacts(self) -> Path:
        """Where the bytes of what is submitted are kept."""
        return self._lab.locations.data / "artifacts"

    def put(self, identified: Sequence[Identified]) -> list[Submitted]:
        return [self._put(one, pipeline_of(one.submission, self._lab.catalog)) for one in identified]

    def _put(self, one: Identified, pipeline: str) -> Submitted:
        request = one.submission
        ids = [each.job_id(pipeline) for each in (one.before, request) if each is not None]
        found = {job_id: None if self.is_new else self._lab.ledger.get(job_id) for job_id in ids}
        known = [job_id for job_id in ids if job_id in self._sent or found[job_id] is not None]
        job_id = known[0] if known else ids[-1]
        if not known:
            self._sent.add(job_id)
            message = request_message(request, self._signer)
            self._producer.send(self._topic, message.value, key=message.key, headers=message.headers)
        content = one.what if request.content is not None else ""
        job = found[job_id]
        note = _DELETED if job is not None and DELETED in job.fields else _note(one, bool(known))
        return Submitted(job_id, request.doc_id, pipeline, bool(known), content, note)

    def flush(self) -> None:
        """Wait for the broker, as long as the disk has room: a broker without room answers only when there is some."""
        until = time.monotonic() + FLUSH_S
        while len(self._producer) and time.monotonic() < until:
            self._producer.poll(POLL_S)
            require_room(self._lab.locations)
        self._producer.flush()


def _note(one: Identified, known: bool) -> str:
    """What a person should know of a document beside its id."""
    if one.other:
        return f"the content of {one.other}, which has another name"
    if one.replaced is not None and not known:
        return f"replaces the version of {datetime.fromtimestamp(one.replaced.since):%Y-%m-%d %H:%M:%S}"
    return "already there" if known else "known content, worked on again" if one.what == "known" else ""
