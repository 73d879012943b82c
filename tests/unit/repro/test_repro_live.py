"""A job that was fetched from a service: answered from the recording, or from the real service where that is asked for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from medkg_lab.bridge.specs import job_spec
from medkg_lab.locations import locate
from medkg_lab.models.event_codec import spec_to_json
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.manifest import JobEntry
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.workbench import Workbench
from medkg_lab.sources.exchanges import request_key
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import content_version, version_of
from tests.http_service import Answer, HttpService, http_service
from tests.unit.repro.worlds import POLICIES, PROFILE, T0, archive_of, event, sha, study

KEY = "NCT70000021"
FETCH = Topology.model_validate(
    {"version": "1.0", "name": "fetch", "stages": [{"name": "ingest", "type": "IngestStage", "policy": "polite-api"}]}
)


@pytest.fixture
def service() -> Iterator[HttpService]:
    with http_service() as made:
        yield made


def fetched(service: HttpService, *statuses: int) -> Archive:
    """A job whose record was had after these answers."""
    body = json.dumps(study(KEY)).encode()
    url = f"{service.url}/ct/studies/{KEY}?format=json"
    request = Submission(source="clinicaltrials", key=KEY, pipeline="fetch")
    spec = job_spec(request, FETCH, T0)
    job = spec.job_id
    payload = Payload(
        sha256=sha(body),
        media_type="application/json",
        size=len(body),
        name=f"{KEY}.json",
        source="clinicaltrials",
        key=KEY,
        url=url,
    )
    output = KINDS["payload"].encode(payload)
    exchanges = [
        {
            "key": request_key("GET", url, None),
            "method": "GET",
            "url": url,
            "started": T0,
            "ms": 20.0,
            "error": "",
            "status": status,
            "headers": {},
            "body": sha(body if status == 200 else b""),
            "final_url": url,
            "size": len(body) if status == 200 else 0,
            "kept": True,
            "asked": "",
            "error_fields": {},
            "seq": 5,
            "labels": {"job": job, "stage": "ingest", "attempt": 1, "call": number},
        }
        for number, status in enumerate(statuses, start=1)
    ]
    claim = {
        "worker": "w",
        "lane": "network",
        "pipeline": "fetch",
        "pipeline_version": version_of(FETCH),
        "half": 0,
        "segment": 0,
        "stages": ["ingest"],
        "attempts": [1],
        "lease_s": 1.0,
        "profile": "cpu",
        "profile_version": content_version(PROFILE),
        "policies_version": content_version(POLICIES),
    }
    at: dict[str, Any] = {"stage": "ingest", "batch": "b1"}
    failed = {"attempt": 1, "delay_s": 2.0, "kind": "service", "reason": "busy"}
    done = {"t0": T0 + 3, "t1": T0 + 5, "ms": [1.0], "counts": [1], "refs": [sha(output)], "kind": "payload"}
    events = [
        event(1, "job.submitted", [job], {"specs": [spec_to_json(spec)]}),
        event(2, "job.claimed", [job], claim, batch="b1"),
        event(3, "stage.started", [job], {"t0": T0 + 3}, **at),
        *(event(4 + n, "stage.retrying", [job], failed, **at) for n, status in enumerate(statuses) if status != 200),
        event(50, "stage.completed", [job], {**done, "implementation": "ingest.sources", "device": "cpu"}, **at),
        event(51, "job.completed", [job], {"unchanged": False, "content": [sha(body)]}),
    ]
    entry = JobEntry(
        job_id=job,
        doc_id=spec.doc_id,
        tenant_id="default",
        pipeline="fetch",
        pipeline_version=version_of(FETCH),
        state="completed",
    )
    settings = {"profile": "cpu", "sources": {"clinicaltrials": {"base_url": f"{service.url}/ct"}}, "pdf": {}}
    return archive_of(
        events, [body, b"", output], [FETCH], [entry], exchanges, **{names.SETTINGS: orjson.dumps(settings)}
    )


def test_the_recording_answers_and_the_service_is_not_asked(service: HttpService, tmp_path: Path) -> None:
    bench = Workbench.of(fetched(service, 503, 503, 200), locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides())
    assert bench.compare(run.id).divergences == []
    assert [len(step.tries) for step in run.steps] == [2]
    assert run.virtual_seconds > 5
    assert run.seconds < run.virtual_seconds + 5
    assert service.asked == []


def test_a_live_stage_asks_the_real_service(service: HttpService, tmp_path: Path) -> None:
    other = json.dumps(study(KEY, "Another text.")).encode()
    service.answers[f"/ct/studies/{KEY}"] = [Answer(other)]
    bench = Workbench.of(fetched(service, 200), locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides(live=frozenset({"ingest"})))
    assert [step.how for step in run.steps] == ["live"]
    report = bench.compare(run.id)
    assert report.first is not None
    assert (report.first.stage, report.first.field) == ("ingest", "sha256")
    assert report.first.b == sha(other)
    assert len(service.asked) == 1


def test_a_call_that_was_not_recorded_ends_the_job_with_its_key(service: HttpService, tmp_path: Path) -> None:
    bench = Workbench.of(fetched(service), locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides())
    assert run.steps[0].error == "UnrecordedCall"
    assert KEY in run.unrecorded[0]
    assert service.asked == []
