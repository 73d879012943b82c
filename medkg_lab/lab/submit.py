"""Submitting: local documents and remote ids become requests on the work queue."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from medkg_lab.artifacts.store import ArtifactStore, WriterInUse
from medkg_lab.bridge.specs import pipeline_of
from medkg_lab.broker.client import Producer
from medkg_lab.broker.topics import Topics
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.targets import Remote, resolve
from medkg_lab.models.submission import Content, Submission
from medkg_lab.sources.documents import LocalDocument
from medkg_lab.sources.files import Skipped, expand

GROUP_BYTES = 8 * 1024 * 1024
GROUP_DOCUMENTS = 64
"""Local documents are kept in groups of at most so many bytes and documents: one append and one fdatasync each."""
WRITERS = 8


@dataclass(frozen=True)
class Submitted:
    """A request that is on the queue: the job it stands for, and whether that job was there before."""

    job_id: str
    doc_id: str
    pipeline: str
    already: bool


@dataclass(frozen=True)
class Options:
    """What holds for every document of one call."""

    source: str | None = None
    pipeline: str | None = None
    is_query: bool = False
    again: bool = False
    limit: int = 100
    tenant: str = "default"


@dataclass
class Outcome:
    """What a call submitted, and the files it left out with the reason."""

    jobs: list[Submitted] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def submit(lab: Lab, targets: Iterable[str], options: Options) -> Outcome:
    """Put a request for every document of `targets` on the work queue; returns once the broker has all of them on disk.

    Raises LabNotRunning, UnknownTarget, and what the broker's client raises when the broker does not take them.
    """
    lab.require_running()
    resolved = [resolve(target, options.source, options.is_query) for target in targets]
    nonce = uuid.uuid4().hex if options.again else None
    queue = _Queue(lab, nonce)
    outcome = Outcome()
    for target in resolved:
        if isinstance(target, Remote):
            request = Submission(
                tenant_id=options.tenant,
                source=target.source,
                key=target.key,
                query=target.query,
                limit=options.limit,
                pipeline=options.pipeline,
                again=nonce,
            )
            outcome.jobs += queue.put([request])
        else:
            _submit_path(target, options, nonce, queue, lab, outcome)
    queue.flush()
    return outcome


def _submit_path(path: Path, options: Options, nonce: str | None, queue: "_Queue", lab: Lab, outcome: Outcome) -> None:
    store = _open_store(lab.locations.data / "artifacts")
    try:
        documents = expand(path)
        for group in _groups(documents):
            hashes = store.put_many([document.data for document in group])
            requests = [_request(one, sha256, options, nonce) for one, sha256 in zip(group, hashes, strict=True)]
            outcome.jobs += queue.put(requests)
        outcome.skipped += documents.skipped
    finally:
        store.close()


def _request(document: LocalDocument, sha256: str, options: Options, nonce: str | None) -> Submission:
    return Submission(
        tenant_id=options.tenant,
        source=document.source,
        key=document.key,
        pipeline=options.pipeline or document.pipeline,
        content=Content(sha256=sha256, media_type=document.media_type, name=document.name),
        again=nonce,
    )


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

    def __init__(self, lab: Lab, nonce: str | None) -> None:
        self._lab = lab
        self._nonce = nonce
        self._topic = Topics(lab.settings.broker.topic_prefix).requests
        self._producer = Producer(lab.bootstrap)

    def put(self, requests: Sequence[Submission]) -> list[Submitted]:
        named = [(one, pipeline_of(one, self._lab.catalog)) for one in requests]
        ids = [one.job_id(pipeline) for one, pipeline in named]
        known = set() if self._nonce else _known(self._lab, ids)
        for (request, _), job_id in zip(named, ids, strict=True):
            if job_id not in known:
                value = orjson.dumps(request.model_dump(mode="json", exclude_none=True))
                self._producer.send(self._topic, value, key=request.doc_id.encode())
        return [
            Submitted(job_id, request.doc_id, pipeline, job_id in known)
            for (request, pipeline), job_id in zip(named, ids, strict=True)
        ]

    def flush(self) -> None:
        self._producer.flush()


def _known(lab: Lab, job_ids: Sequence[str]) -> set[str]:
    return {job_id for job_id in job_ids if lab.ledger.get(job_id) is not None}
