"""Incidents without a lab: archives made of a pipeline, some studies and what a first run of them gave."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from medkg_lab.bridge.specs import job_spec
from medkg_lab.locations import locate
from medkg_lab.models.event_codec import spec_to_json
from medkg_lab.models.submission import Content, Submission
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.manifest import JobEntry, Manifest, entries, environment, lines
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.workbench import Workbench
from medkg_lab.topology import bundled
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.policy_files import load_policies
from medkg_lab.topology.profiles import load_profile
from medkg_lab.topology.versions import content_version, to_json, version_of

T0 = 1_700_000_000.0
POLICIES = load_policies(bundled.folder() / "policies.yaml")
PROFILE = load_profile(bundled.folder() / "profiles" / "cpu.yaml")
SHORT: Mapping[str, Any] = {
    "version": "1.0",
    "name": "short",
    "stages": [
        {"name": "ingest", "type": "IngestStage", "policy": "polite-api"},
        {"name": "parse", "type": "ParseStage", "policy": "local", "depends_on": ["ingest"]},
        {"name": "chunk", "type": "ChunkStage", "policy": "local", "depends_on": ["parse"]},
        {"name": "extract", "type": "ExtractStage", "policy": "local", "depends_on": ["chunk"]},
    ],
}
"""A pipeline that loads no model."""


def topology(**chunk: Any) -> Topology:
    """The short pipeline, its splitter with these options."""
    stages = [dict(stage) for stage in SHORT["stages"]]
    if chunk:
        stages[2] |= {"implementation": "haystack.splitter", "with": chunk}
    return Topology.model_validate({**SHORT, "stages": stages})


def gated(tmp_path: Path) -> Topology:
    """The bundled pipeline with a gate."""
    return load_topology(bundled.folder() / "pipelines" / "pdf-two-phase.yaml", policies=POLICIES.names)


def study(key: str, text: str = "", **modules: Any) -> dict[str, Any]:
    """A study of our own."""
    identification = {"nctId": key, "briefTitle": f"Metformin in diabetes {key}"}
    summary = {"briefSummary": text or "Adults with type 2 diabetes take metformin. They walk every day."}
    return {"protocolSection": {"identificationModule": identification, "descriptionModule": summary, **modules}}


def sha(data: bytes) -> str:
    """The name of an artifact."""
    return hashlib.sha256(data).hexdigest()


def event(seq: int, kind: str, jobs: Sequence[str], data: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An event of the log, a second after the one before."""
    head = {"seq": seq, "id": f"e{seq}", "ts": T0 + seq, "type": kind, "stage": None, "batch": None}
    return {**head, "jobs": list(jobs), "data": dict(data), **more}


def definition(kind: str, name: str, version: str, content: str, seq: int) -> tuple[str, bytes]:
    """A member of the archive that holds a definition."""
    member = f"{names.DEFINITIONS}{kind}/{name}+{version}.json"
    return member, lines([{"name": name, "version": version, "seq": seq, "content": content}])


def archive_of(
    events: Sequence[Mapping[str, Any]],
    blobs: Sequence[bytes],
    topologies: Sequence[Topology],
    jobs: Sequence[JobEntry],
    exchanges: Sequence[Mapping[str, Any]] = (),
    **further: bytes,
) -> Archive:
    """An archive with the bundled policies and cpu profile."""
    members = {f"{names.ARTIFACTS}{sha(data)}": data for data in blobs}
    members[names.EVENTS] = lines(list(events))
    members[names.EXCHANGES] = lines(list(exchanges))
    members[names.SETTINGS] = orjson.dumps({"profile": "cpu", "sources": {}, "pdf": {}})
    for number, one in enumerate(topologies):
        members |= dict([definition("topology", one.name, version_of(one), to_json(one), number)])
    members |= dict([definition("policies", "policies", content_version(POLICIES), to_json(POLICIES), 90)])
    members |= dict([definition("profile", "cpu", content_version(PROFILE), to_json(PROFILE), 91)])
    members |= further
    members = dict(sorted(members.items()))
    return Archive(
        Manifest(environment=environment(), profile="cpu", device="cpu", jobs=tuple(jobs), files=entries(members)),
        members,
    )


def incident(
    tmp_path: Path,
    studies: Sequence[Mapping[str, Any]],
    pipeline: Topology | None = None,
    others: Sequence[Topology] = (),
) -> Archive:
    """An archive of these studies as they went through `pipeline`: recorded by running them once."""
    chosen = pipeline or topology()
    blobs = [json.dumps(one).encode() for one in studies]
    requests = [
        Submission(
            source="clinicaltrials",
            key=one["protocolSection"]["identificationModule"]["nctId"],
            pipeline=chosen.name,
            content=Content(
                sha256=sha(blob),
                media_type="application/json",
                name=f"file-{one['protocolSection']['identificationModule']['nctId']}.json",
            ),
        )
        for one, blob in zip(studies, blobs, strict=True)
    ]
    specs = [job_spec(one, chosen, T0) for one in requests]
    ids = [spec.job_id for spec in specs]
    stamps = {"profile": "cpu", "profile_version": content_version(PROFILE)}
    claim = {
        "worker": "engine-compute",
        "lane": "compute",
        "pipeline": chosen.name,
        "lease_s": 10.0,
        "half": 0,
        "pipeline_version": version_of(chosen),
        "segment": 0,
        "attempts": [1] * len(ids),
        **stamps,
        "stages": [stage.name for stage in chosen.stages],
        "policies_version": content_version(POLICIES),
    }
    head = [
        event(1, "job.submitted", ids, {"specs": list(map(spec_to_json, specs))}),
        event(2, "job.claimed", ids, claim, batch="b1"),
    ]
    done = {"unchanged": False, "content": [sha(blob) for blob in blobs]}
    jobs = [
        JobEntry(
            job_id=spec.job_id,
            doc_id=spec.doc_id,
            tenant_id="default",
            pipeline=chosen.name,
            pipeline_version=spec.pipeline_version,
            state="completed",
        )
        for spec in specs
    ]
    first = archive_of([*head, event(3, "job.completed", ids, done)], blobs, [*others, chosen], jobs)
    body, made = _recorded(tmp_path, first, ids)
    events = [*head, *body, event(3 + len(body), "job.completed", ids, done)]
    return archive_of(events, [*blobs, *made], [*others, chosen], jobs)


def _recorded(tmp_path: Path, first: Archive, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The events of a first run, and what its stages gave."""
    bench = Workbench.of(
        first, locate(tmp_path / f"made-{sha(repr(ids).encode())[:6]}-{len(list(tmp_path.iterdir()))}")
    )
    run = bench.run(ReplayOverrides())
    store = bench.store()
    events, blobs, seq = [], [], 3
    for step in run.steps:
        assert step.status == "completed", step
        data = {"t0": T0 + seq, "t1": T0 + seq, "ms": [1.0], "counts": [step.count], "refs": [step.ref]}
        data |= {"kind": step.kind, "implementation": step.implementation, "device": step.device}
        data |= {"made_with": step.made_with} if step.made_with else {}
        events.append(event(seq, "stage.started", [step.job], {"t0": T0 + seq}, stage=step.stage, batch="b1"))
        events.append(event(seq + 1, "stage.completed", [step.job], data, stage=step.stage, batch="b1"))
        blobs.append(store.get(str(step.ref)))
        seq += 2
    store.close()
    return events, blobs
