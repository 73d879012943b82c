"""From a running lab to an archive: all that some jobs need to be run again elsewhere."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import orjson
from pydantic import ValidationError

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import find_job
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.errors import DocumentGone
from medkg_lab.models.event_codec import to_json
from medkg_lab.models.events import DELETED, BreakerEvent, Event, JobClaimed, MakesJobs, StageCompleted
from medkg_lab.repro import manifest as names
from medkg_lab.repro import sources
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.errors import HistoryPruned
from medkg_lab.repro.manifest import JobEntry, Manifest, ModelEntry, entries, environment, lines
from medkg_lab.repro.slices import artifacts_in, cut, records_in, with_records
from medkg_lab.sources.exchanges import StoredExchange
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.embed import own_models
from medkg_lab.stages.kinds import KINDS

_SECRET_SETTINGS = {"email": "removed@example.org", "api_key": "removed"}


@dataclass
class _Export:
    """What was gathered so far: `batches` are all jobs of each batch that has one of these, `records` number, batch and hash of
    each exchange that is told of, `shared_with` the other jobs that a call was made for as well."""

    lab: Lab
    jobs: dict[str, JobDetail]
    blobs: sources.Blobs
    events: list[Event] = field(default_factory=list)
    batches: dict[str | None, tuple[str, ...]] = field(default_factory=dict)
    records: list[tuple[int, str | None, str]] = field(default_factory=list)
    members: dict[str, bytes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    shared_with: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Gathered:
    """An archive, and the jobs that are not in it although calls were made for them together with those that are.

    Their ids follow from what they are about, so no archive names them.
    """

    archive: Archive
    shared_with: tuple[str, ...]


def gather(lab: Lab, wanted: Sequence[str], topics: bool = True) -> Gathered:
    """The archive of these jobs, named by their ids or those of their documents. Raises UnknownJob, LabNotRunning and
    HistoryPruned."""
    jobs = {job.job_id: job for job in (find_job(lab, name) for name in wanted)}
    for job in jobs.values():
        if DELETED in job.fields:
            raise DocumentGone(doc_id=job.doc_id, job_id=job.job_id)
    export = _Export(lab, dict(sorted(jobs.items())), sources.Blobs(lab))
    try:
        _add_events(export)
        _add_artifacts(export)
        _add_exchanges(export)
        _add_definitions(export)
        _add_vocabularies(export)
        if topics:
            for topic, records in sources.topic_slices(lab, export.jobs).items():
                export.members[f"{names.TOPICS}{topic}.jsonl"] = lines(records)
    finally:
        export.blobs.close()
    export.members[names.EVENTS] = lines(list(map(to_json, export.events)))
    export.members[names.SETTINGS] = orjson.dumps(_settings(lab), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    return Gathered(Archive(_manifest(export), export.members), tuple(sorted(export.shared_with)))


def sizes(archive: Archive) -> dict[str, int]:
    """Bytes of the archive's parts before they are packed."""
    found: dict[str, int] = {}
    for name, data in archive.members.items():
        part = name.partition("/")[0]
        found[part] = found.get(part, 0) + len(data)
    return dict(sorted(found.items()))


def _add_events(export: _Export) -> None:
    first, last = 0, 0
    forgotten = export.lab.ledger.low_waters()["ledger"]
    for job_id in export.jobs:
        own = list(sources.events_of(export.lab, job_id, forgotten))
        if not own or not isinstance(own[0].data, MakesJobs):
            raise HistoryPruned(job_id=job_id)
        first = min(first or own[0].seq, own[0].seq)
        last = max(last, own[-1].seq)
    for event in sources.events_between(export.lab, first, last) if last else ():
        kept, batch = cut(event, export.jobs), event.batch
        if kept is not None:
            export.events.append(kept)
            export.batches.setdefault(batch, ())
        elif isinstance(event.data, BreakerEvent):
            export.events.append(event)
        if kept is not None and isinstance(event.data, JobClaimed):
            export.batches[batch] = event.jobs
        if batch is None or batch in export.batches:
            export.records += [(event.seq, batch, record) for record in records_in(event)]


def _add_artifact(export: _Export, sha256: str, what: str) -> bytes | None:
    name = f"{names.ARTIFACTS}{sha256}"
    if name not in export.members:
        data = export.blobs.find(sha256)
        if data is None:
            export.missing.append(f"{what} {sha256}")
            return None
        export.members[name] = data
    return export.members[name]


def _add_artifacts(export: _Export) -> None:
    for sha256 in dict.fromkeys(artifacts_in(export.events)):
        _add_artifact(export, sha256, "the artifact")
    for event in export.events:
        if isinstance(event.data, StageCompleted):
            for ref in (output.ref for output in event.data.entries if output.ref is not None):
                for sha256 in _named_in(event.data.kind, _add_artifact(export, ref, "the artifact")):
                    _add_artifact(export, sha256, "the artifact")


def _named_in(kind: str, data: bytes | None) -> Iterator[str]:
    """The artifacts that a value of this kind names in the fields made for it: any other text of it may be anyone's."""
    try:
        if data is not None and kind == "payload":
            yield KINDS[kind].decode(data).sha256
        elif data is not None and kind == "submissions":
            contents = [one.content for one in KINDS[kind].decode(data)]
            yield from (one.sha256 for one in contents if one is not None and one.sha256 is not None)
    except ValidationError:
        return


def _add_exchanges(export: _Export) -> None:
    told: list[dict[str, object]] = []
    chosen: set[str] = set()
    together = _batched_stages(export)
    for seq, batch, sha256 in export.records:
        others = [job for job in export.batches.get(batch, ()) if job not in export.jobs]
        data = export.blobs.find(sha256)
        if data is None:
            export.missing.append("an exchange record of a shared batch" if others else f"the exchange record {sha256}")
            continue
        record = msgspec.json.decode(data, type=StoredExchange)
        if others and record.stage in together:
            # Its request and its answer hold the texts of all of them.
            export.missing.append(f"calls of stage {record.stage} that were made for other jobs as well")
            export.shared_with.update(others)
            continue
        if record.job not in export.jobs:
            continue
        told.append({**orjson.loads(data), "seq": seq})
        chosen.add(sha256)
        if record.asked:
            _add_artifact(export, record.asked, "the request's body")
        if record.kept:
            _add_artifact(export, record.body, f"the answer to {record.url}")
        else:
            export.missing.append(f"the answer to {record.url}, which was too large to be recorded")
    if not export.lab.settings.recording.enabled:
        export.missing.append("exchanges with the outside, because `recording.enabled` is off")
    export.events = [with_records(event, chosen) for event in export.events]
    export.members[names.EXCHANGES] = lines(told)


def _batched_stages(export: _Export) -> set[str]:
    """The stages that send several documents in one request: only all of them together ask the same again."""
    pipelines = {str(job.pipeline) for job in export.jobs.values()}
    topologies = [one for one in export.lab.ledger.definitions("topology") if one.name in pipelines]
    stages = [stage for one in topologies for stage in orjson.loads(one.content)["stages"]]
    return {stage["name"] for stage in stages if stage["type"] == StageType.EMBED}


def _add_definitions(export: _Export) -> None:
    pipelines = {str(job.pipeline) for job in export.jobs.values()}
    profiles = {str(job.profile) for job in export.jobs.values()}
    for kind in ("topology", "policies", "profile"):
        for one in export.lab.ledger.definitions(kind):
            if kind == "policies" or one.name in (pipelines if kind == "topology" else profiles):
                value = {"name": one.name, "version": one.version, "seq": one.seq, "content": one.content}
                name = f"{names.DEFINITIONS}{kind}/{one.name}@{one.version}.json".replace("@", "+")
                export.members[name] = lines([value])


def _add_vocabularies(export: _Export) -> None:
    stages = (event.data for event in export.events if isinstance(event.data, StageCompleted))
    versions = {stage.made_with.get("vocabulary") for stage in stages}
    for version in sorted(one for one in versions if one and re.fullmatch(r"[0-9a-f]{12}", one)):
        path = export.lab.locations.data / "vocabularies" / f"{version}.tsv"
        if path.is_file():
            export.members[f"{names.VOCABULARIES}{version}.tsv"] = path.read_bytes()
        else:
            export.missing.append(f"the vocabulary {version}")


def _models(export: _Export) -> Iterator[ModelEntry]:
    """The models of the user's own that made the vectors, by their ids; they are too large to be carried along."""
    stages = (event.data for event in export.events if isinstance(event.data, StageCompleted))
    folder = export.lab.locations.data / own_models.FOLDER
    for model in sorted(filter(own_models.is_id, {stage.made_with.get("model", "") for stage in stages})):
        known = own_models.has(folder, model)
        yield ModelEntry(model=model, sha256=dict(own_models.find(folder, model).sha256) if known else {})


def _settings(lab: Lab) -> dict[str, object]:
    """The settings that the jobs' stages depend on, without the secrets among them."""
    chosen = lab.settings
    secrets = {
        name: {key: _public(key, value) for key, value in values.items()} for name, values in chosen.sources.items()
    }
    pdf = {key: _public(key, value) for key, value in chosen.pdf.model_dump(mode="json").items()}
    return {"profile": chosen.profile, "sources": secrets, "pdf": pdf, "batch_limit": chosen.batch_limit}


def _public(key: str, value: Any) -> Any:
    """A setting of a source as an archive may have it: an address without user name and password."""
    if value and key in _SECRET_SETTINGS:
        return _SECRET_SETTINGS[key]
    if isinstance(value, str) and "@" in urlsplit(value).netloc:
        parts = urlsplit(value)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return value


def _manifest(export: _Export) -> Manifest:
    jobs = tuple(
        JobEntry(**{name: getattr(job, name) for name in JobEntry.model_fields}) for job in export.jobs.values()
    )
    profiles: Iterable[str] = {job.profile for job in export.jobs.values() if job.profile}
    return Manifest(
        environment=environment(),
        profile=", ".join(sorted(profiles)) or export.lab.settings.profile,
        device=_device(export.events),
        jobs=jobs,
        missing=tuple(dict.fromkeys(export.missing)),
        models=tuple(_models(export)),
        files=entries(export.members),
    )


def _device(events: Iterable[Event]) -> str | None:
    devices = {event.data.device for event in events if isinstance(event.data, StageCompleted)}
    return ", ".join(sorted(one for one in devices if one)) or None
