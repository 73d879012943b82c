"""Deleting a document: what was made of it goes, and what remains is named.

The ledger's event comes first. All that follows finds its work in what the ledger says, so that a deletion that was interrupted
is finished by asking for it again, or by the next sweep.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from medkg_lab.artifacts import recording, sweep
from medkg_lab.artifacts.store import ArtifactDamaged, ArtifactMissing, ArtifactStore
from medkg_lab.broker.errors import UnknownTopic
from medkg_lab.broker.reading import read_all
from medkg_lab.broker.record import Record
from medkg_lab.broker.topics import chosen_topics
from medkg_lab.lab import artifact_use, backups, catching_up
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import DEFAULT_TENANT, find_document
from medkg_lab.ledger.named_queries import Named
from medkg_lab.sources.exchanges import StoredExchange

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted: the document, how many jobs it had had, what they made, and, in words, what remains."""

    doc_id: str
    tenant_id: str
    jobs: int
    artifacts: int
    bytes: int
    remains: tuple[str, ...]


def delete(lab: Lab, name: str, by: str, why: str, tenant: str = DEFAULT_TENANT) -> Deleted:
    """Delete the document `name`, written as people write it. Once more, it finishes what was interrupted.

    Raises NoSuchJob, SeveralDocuments, DocumentInWork, LabBehind and SweepRuns.
    """
    doc_id = find_document(lab, name, tenant)
    key = [tenant, doc_id]
    catching_up.wait_for_intake(lab)
    while left := _ids(lab, Named.JOBS_TO_DELETE, key):
        lab.ledger.delete_document(tenant, doc_id, left, by=by, why=why)
    jobs = _ids(lab, Named.JOBS_OF_DOCUMENT, key)
    catching_up.wait_for_knowledge(lab)
    swept = artifact_use.sweep_unneeded(lab) + _sweep_exchanges(lab, frozenset(jobs))
    return Deleted(doc_id, tenant, len(jobs), swept.values, swept.bytes, tuple(_remains(lab, doc_id, jobs)))


def _ids(lab: Lab, question: Named, key: list[str]) -> list[str]:
    return [str(row[0]) for row in lab.ledger.rows(question, key, limit=10_000).rows]


def _sweep_exchanges(lab: Lab, jobs: frozenset[str]) -> sweep.Swept:
    """Remove what was exchanged with the outside for these jobs alone."""
    root = lab.locations.data / recording.FOLDER
    if not root.exists():
        return sweep.Swept()
    with sweep.alone(root):
        begun = sweep.begin(root)
        store = ArtifactStore(root)
        try:
            found = dict(_exchanges(store, begun))
        finally:
            store.close()
        gone = unneeded(found, jobs)
        return sweep.finish(root, begun, lambda name: name not in gone)


def unneeded(found: Mapping[str, StoredExchange], jobs: Collection[str]) -> set[str]:
    """The values that only the exchanges of `jobs` need: their records, requests and answers. Pure."""
    theirs = {name for name, one in found.items() if one.job in jobs}
    named = {part for name in theirs for part in (found[name].body, found[name].asked)}
    others = {part for name, one in found.items() if name not in theirs for part in (one.body, one.asked)}
    return theirs | (named - others)


def _exchanges(store: ArtifactStore, begun: sweep.Begun) -> Iterator[tuple[str, StoredExchange]]:
    """The records among the values of the store; answers are among them as well, and are none."""
    for record in begun.found:
        try:
            yield record.name, msgspec.json.decode(store.get(record.name), type=StoredExchange)
        except (msgspec.MsgspecError, ArtifactMissing, ArtifactDamaged, UnicodeDecodeError):
            continue


def _records(lab: Lab, topic: str) -> Iterator[Record]:
    with contextlib.suppress(UnknownTopic):
        yield from read_all(lab.bootstrap, topic)


def _remains(lab: Lab, doc_id: str, jobs: Collection[str]) -> Iterator[str]:
    """What has the document's id, or more of it, and cannot be deleted alone."""
    yield "the ledger and Dagster's pages: the document's id, what happened to it and when, without its content"
    named = [one.encode() for one in (doc_id, *jobs)]
    for spec in chosen_topics(lab.settings):
        times = [
            record.timestamp / 1000
            for record in _records(lab, spec.name)
            if any(name in part for name in named for part in (record.key or b"", record.value or b""))
        ]
        if times:
            until = time.strftime("%Y-%m-%d", time.gmtime(max(times) + spec.retention_days * _DAY_S))
            yield f"topic {spec.name}: {len(times)} records without its content, until {until}"
    made = backups.found(backups.folder_of(lab.locations, lab.settings.backup.folder))
    if made:
        yield f"{len(made)} backups, the newest {made[-1].path}: what was in the lab when they were made"
    yield "incidents and files that were exported, and requests that were sent to a service for several documents together"
    yield "blocks of the search index and of the knowledge store that are free, until they are written over"
