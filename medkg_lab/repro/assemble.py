"""An archive of what a system leaves behind that runs the same pipelines without this lab.

What is there is taken; what is not is named, with what cannot be reproduced for want of it. Stages whose outputs are not known
run here and have nothing to be compared with but what the events say: how they ended, and how many items they made.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from medkg_lab.bridge.specs import job_spec
from medkg_lab.errors import LabError
from medkg_lab.files import read_regular, read_text
from medkg_lab.ledger.legacy import LegacyEntry
from medkg_lab.models.event_codec import to_json as event_to_json
from medkg_lab.models.events import (
    PDF_IR_READY,
    ClaimedJob,
    CompletedJob,
    Condition,
    Event,
    EventData,
    Evidence,
    FieldSet,
    GateOpened,
    GateWaiting,
    JobClaimed,
    JobCompleted,
    JobFailed,
    JobSubmitted,
    OpenedJob,
    StageCompleted,
    StageFailed,
    StageOutput,
    StageRetrying,
    StageStarted,
)
from medkg_lab.models.submission import Content, Submission
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.diff import UNKNOWN
from medkg_lab.repro.errors import NotAssembled
from medkg_lab.repro.foreign import StageEvent, cloud_events, converter_output
from medkg_lab.repro.manifest import JobEntry, Manifest, entries, environment, lines
from medkg_lab.settings import PdfSettings
from medkg_lab.sources import sniff
from medkg_lab.stages.kinds import DOCUMENT, OUTPUT_KIND
from medkg_lab.stages.parse.pdf_ir.reading import read_alone
from medkg_lab.topology import bundled
from medkg_lab.topology.graph import Segment, segments
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.policy_files import load_policies
from medkg_lab.topology.profiles import load_profile
from medkg_lab.topology.versions import content_version, to_json, version_of
from medkg_lab.validation import first_flaw

_MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Parts:
    """What there is. Only the job's entry, or events that name it, must be among it."""

    entry: Path | None = None
    events: Sequence[Path] = ()
    topology: Path | None = None
    payload: Path | None = None
    converted: Path | None = None
    policies: Path | None = None


class _Stamps(NamedTuple):
    """What the pipelines went by."""

    profile: str
    profile_version: str
    policies_version: str


@dataclass
class _Work:
    """What is made of the parts."""

    entry: LegacyEntry
    topology: Topology
    told: list[StageEvent]
    missing: list[str]
    members: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    clock: float = 0.0

    @property
    def jobs(self) -> tuple[str]:
        """The one job."""
        return (self.entry.job_id,)

    def add_event(self, data: EventData) -> None:
        """Add an event."""
        number = len(self.events) + 1
        self.events.append(Event(number, f"assembled-{number}", self.clock, data))

    def add_artifact(self, data: bytes) -> str:
        """Keep an artifact; its sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.members[f"{names.ARTIFACTS}{sha256}"] = data
        return sha256


def assemble(parts: Parts) -> Archive:
    """The archive of one job. Raises NotAssembled, TopologyInvalid and PolicyFileInvalid."""
    told = [event for path in parts.events for event in cloud_events(path)]
    entry = _entry(parts, told)
    own = sorted((event for event in told if event.job_id == entry.job_id), key=lambda event: event.ts)
    missing: list[str] = []
    policies = load_policies(bundled.folder() / "policies.yaml")
    if parts.policies is not None:
        policies = policies.overlaid(load_policies(parts.policies))
    else:
        missing.append("the policies: the bundled ones stand for them, so pauses and attempts may have been others")
    topology = _topology(parts, entry, policies.names, missing)
    work = _Work(entry, topology, own, missing, clock=_start(entry, own))
    profile = load_profile(bundled.folder() / "profiles" / "cpu.yaml")
    for kind, name, version, content in (
        ("topology", topology.name, version_of(topology), to_json(topology)),
        ("policies", "policies", content_version(policies), to_json(policies)),
        ("profile", profile.name, content_version(profile), to_json(profile)),
    ):
        value = {"name": name, "version": version, "seq": 0, "content": content}
        work.members[f"{names.DEFINITIONS}{kind}/{name}+{version}.json"] = lines([value])
    _add_events(work, parts, _Stamps(profile.name, content_version(profile), content_version(policies)))
    return _archive(work, profile.name)


def _entry(parts: Parts, told: Sequence[StageEvent]) -> LegacyEntry:
    if parts.entry is not None:
        try:
            text = read_text(parts.entry).strip()
            return LegacyEntry.model_validate(json.loads(text.splitlines()[0] if _is_lines(text) else text))
        except (OSError, ValueError, IndexError) as error:
            detail = first_flaw(error.errors()).message if isinstance(error, ValidationError) else str(error)
            raise NotAssembled(path=parts.entry, detail=detail) from None
    named = next((event for event in told if event.job_id and event.doc_id), None)
    if named is None:
        raise NotAssembled(path="the parts", detail="neither a job's entry nor an event that names job and document")
    source, _, key = str(named.doc_id).partition(":")
    known = {"job_id": named.job_id, "dataset": source if key else "file", "doc_key": key or named.doc_id}
    pipelines = [str(event.data["pipeline"]) for event in told if event.data.get("pipeline")]
    return LegacyEntry.model_validate(known | ({"pipeline_name": pipelines[0]} if pipelines else {}))


def _is_lines(text: str) -> bool:
    return "\n" in text and text.splitlines()[0].rstrip().endswith("}")


def _topology(parts: Parts, entry: LegacyEntry, policies: Sequence[str], missing: list[str]) -> Topology:
    path = parts.topology
    if path is None:
        missing.append("the topology: the bundled one of the same name stands for it, so options of stages may differ")
        path = bundled.folder() / "pipelines" / f"{entry.pipeline_name}.yaml"
        if not path.is_file():
            raise NotAssembled(path=path, detail=f"there is no bundled pipeline {entry.pipeline_name!r}")
    return load_topology(path, policies=policies)


def _start(entry: LegacyEntry, told: Sequence[StageEvent]) -> float:
    moments = [event.ts for event in told if event.ts]
    return entry.created_at or min(moments, default=0.0)


def _add_events(work: _Work, parts: Parts, stamps: _Stamps) -> None:
    """Tell the job's story in the ledger's words, as far as it is known."""
    submission = _submission(work, parts)
    job_id, correlation_id = work.entry.job_id, work.entry.correlation_id or work.entry.job_id
    spec = job_spec(submission, work.topology, work.clock)
    work.add_event(JobSubmitted((replace(spec, job_id=job_id, correlation_id=correlation_id),)))
    failed = next((event for event in work.told if event.kind == "stage.failed"), None)
    ended = work.entry.status.value
    for segment in segments(work.topology, submission.content is not None):
        _segment(work, segment, stamps)
        if failed is not None and failed.stage in segment.stages:
            _fail(work, failed.data, failed.stage)
            return
        if segment.gate is not None and not _gate(work, segment, parts, spec.doc_id):
            return
    if ended == "failed":
        _fail(work, {"reason": work.entry.error or UNKNOWN}, work.entry.current_stage)
        return
    content = submission.content.sha256 if submission.content else None
    work.add_event(JobCompleted(False, (CompletedJob(job_id, content),)))


def _submission(work: _Work, parts: Parts) -> Submission:
    content = None
    if parts.payload is not None:
        try:
            data = read_regular(parts.payload, _MAX_BYTES)
        except OSError as error:
            raise NotAssembled(path=parts.payload, detail=error.strerror or error) from None
        content = Content(sha256=work.add_artifact(data), media_type=sniff.media_type(data), name=parts.payload.name)
    else:
        work.missing.append("the source payload: ingest, parsing and all that follows cannot be run")
    return Submission(
        tenant_id=work.entry.tenant_id,
        source=work.entry.source,
        key=work.entry.document,
        pipeline=work.topology.name,
        content=content,
        correlation_id=work.entry.correlation_id,
    )


def _segment(work: _Work, segment: Segment, stamps: _Stamps) -> None:
    batch, entry = f"assembled-{segment.index}", work.entry
    doc_id = f"{entry.source}:{entry.document}"
    job = ClaimedJob(entry.job_id, doc_id, entry.tenant_id, entry.correlation_id or entry.job_id, 1, 1)
    work.add_event(
        JobClaimed(
            worker=UNKNOWN,
            lane=segment.lane.value,
            pipeline=work.topology.name,
            pipeline_version=version_of(work.topology),
            half=segment.half,
            segment=segment.index,
            stages=segment.stages,
            entries=(job,),
            lease_s=0.0,
            batch=batch,
            **stamps._asdict(),
        )
    )
    silent = []
    for stage in segment.stages:
        ours = [event for event in work.told if event.stage == stage]
        for event in ours:
            work.clock = max(work.clock, event.ts)
            _stage(work, stage, event, batch)
        if not any(event.kind in ("stage.completed", "stage.failed") for event in ours):
            silent.append(stage)
    if silent:
        work.missing.append(f"events of {', '.join(silent)}: how they ended cannot be compared")


def _stage(work: _Work, stage: str, event: StageEvent, batch: str) -> None:
    data = event.data
    milliseconds = float(data.get("duration_ms") or 0.0)
    t0, t1, jobs = max(0.0, work.clock - milliseconds / 1000), work.clock, work.jobs
    reason = str(data.get("reason") or data.get("error") or UNKNOWN)
    match event.kind:
        case "stage.started":
            work.add_event(StageStarted(stage, jobs, work.clock, batch))
        case "stage.completed":
            output = StageOutput(work.entry.job_id, milliseconds, data.get("output_count"), None)
            kind = OUTPUT_KIND[work.topology.stage(stage).type]
            work.add_event(StageCompleted(stage, t0, t1, (output,), kind, UNKNOWN, None, batch=batch))
        case "stage.retrying":
            kind = str(data.get("failure_kind") or "service")
            work.add_event(StageRetrying(stage, jobs, int(data.get("attempt") or 1), 0.0, kind, reason, batch))
        case "stage.failed":
            kind = str(data.get("failure_kind") or UNKNOWN)
            work.add_event(StageFailed(stage, jobs, t0, t1, 1, kind, UNKNOWN, reason, batch=batch))
        case _:
            pass


def _gate(work: _Work, segment: Segment, parts: Parts, doc_id: str) -> bool:
    """Tell of the gate that ends a segment; whether the job went on."""
    gate = work.topology.stage(str(segment.gate))
    assert gate.condition is not None, "a gate without a condition does not validate"
    condition = Condition(gate.condition.ledger_field, gate.condition.equals)
    work.add_event(GateWaiting(gate.name, work.jobs, condition, segment.index + 1, "compute", ()))
    went_on = work.entry.pdf_ir_ready or work.entry.post_pdf_started or work.entry.status.value == "completed"
    if parts.converted is not None:
        _converted(work, parts.converted, doc_id)
        went_on = True
    elif went_on:
        work.missing.append(
            "the converter's output: stages after the gate cannot be run unless the PDF can be read here"
        )
    if went_on:
        work.add_event(GateOpened(gate.name, "ledger", "condition", None, False, (OpenedJob(work.entry.job_id, 0),)))
    return went_on


def _converted(work: _Work, folder: Path, doc_id: str) -> None:
    name, data = converter_output(folder)
    try:
        document = read_alone(orjson.loads(data), doc_id, work.entry.source)
    except (LabError, ValueError) as error:
        raise NotAssembled(path=folder / name, detail=str(error)) from None
    encoded = DOCUMENT.encode(document)
    evidence = Evidence(document=work.add_artifact(encoded), raw=work.add_artifact(data), tool=name)
    work.add_event(FieldSet(work.jobs, PDF_IR_READY, True, "pdf", evidence))


def _fail(work: _Work, data: Any, stage: str | None) -> None:
    kind, reason = str(data.get("failure_kind") or UNKNOWN), str(data.get("reason") or data.get("error") or UNKNOWN)
    work.add_event(JobFailed(work.jobs, kind, UNKNOWN, reason, stage))


def _archive(work: _Work, profile: str) -> Archive:
    work.missing.append(
        "recorded exchanges with the outside: stages that ask a service fail as unrecorded, or need `--live`"
    )
    if not work.told:
        work.missing.append("CloudEvents: only the job's end can be compared")
    work.members[names.EVENTS] = lines(list(map(event_to_json, work.events)))
    work.members[names.EXCHANGES] = b""
    # A tool of another name is never run: what it made is in the archive, or the PDF is read by nobody.
    pdf = PdfSettings(tool="mineru").model_dump(mode="json")
    work.members[names.SETTINGS] = orjson.dumps(
        {"profile": profile, "sources": {}, "pdf": pdf}, option=orjson.OPT_SORT_KEYS
    )
    members = dict(sorted(work.members.items()))
    states = {JobCompleted: "completed", JobFailed: "failed", GateWaiting: "waiting_gate"}
    state = states.get(type(work.events[-1].data), work.entry.status.value)
    job = JobEntry(
        job_id=work.entry.job_id,
        doc_id=f"{work.entry.source}:{work.entry.document}",
        tenant_id=work.entry.tenant_id,
        pipeline=work.topology.name,
        pipeline_version=version_of(work.topology),
        state=state,
        reason=work.entry.error,
    )
    missing = tuple(work.missing)
    made = Manifest(
        origin="assemble",
        environment=environment(),
        profile=profile,
        jobs=(job,),
        missing=missing,
        files=entries(members),
    )
    return Archive(made, members)
