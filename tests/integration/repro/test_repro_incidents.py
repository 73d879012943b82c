"""Incidents that happened in a real lab beside a faulty server: each is exported, run again elsewhere, and its cause is named."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from medkg_lab.mesh import vocabulary_store
from medkg_lab.stages.extract.vocabulary import Concept
from tests.http_service import Answer, HttpService
from tests.integration.repro.support import (
    GOOD_PAPER,
    PluggedLab,
    embeddings,
    faulty_lab,
    job_of,
    middle_json,
    pipeline,
    sentences,
    serve_mineru,
    study,
    write_pipeline,
)
from tests.pdf_files import PAPER, pdf
from tests.unit.embed.test_embed_own_models import small_model
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(400), pytest.mark.full]

World = tuple[PluggedLab, HttpService]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with faulty_lab() as made:
        yield made


def reproduce(lab: PluggedLab, jobs: list[str], name: str) -> PluggedLab:
    """Export, import into a home of its own, run, and check that nothing diverges; the home."""
    archive = lab.home.parent / f"{name}.mklab"
    lab.ok("repro", "export", *jobs, "--out", str(archive))
    desk = lab.at(lab.home.parent / name)
    desk.ok("repro", "import", str(archive), "--home", str(desk.home))
    ran = desk.ok("repro", "run")
    assert ran.get("unrecorded") is None
    assert ran["first"] is None, ran["first"]
    return desk


def verdict(desk: PluggedLab, *arguments: str) -> dict[str, Any]:
    """What `repro diff` or `bisect` says, which must have found something."""
    done = desk.run("repro", *arguments, "--json")
    assert done.code == 1, done.err
    return dict(done.json())


def write_study(folder: Path, key: str, text: str) -> str:
    path = folder / f"{key}.json"
    path.write_text(json.dumps(study(key, text)))
    return str(path)


def test_a_splitter_length_that_changed_between_versions(world: World, tmp_path: Path) -> None:
    lab, _ = world
    for length in (10, 7, 3):
        write_pipeline(lab, pipeline("cut", split_length=length))
        path = write_study(tmp_path, "NCT77000031", sentences(30))
        lab.ok("submit", path, "--pipeline", "cut", "--again", "--wait", "--timeout", "120")
    desk = reproduce(lab, [job_of(lab, "clinicaltrials:NCT77000031")], "splitter")
    found = verdict(desk, "bisect", "topology")
    assert found["changes"] == ["stage chunk: with {'split_length': 10} -> {'split_length': 7}"]
    assert found["first"]["stage"] == "chunk"


def test_mineru_that_answers_503_twice_and_then_leaves_two_pages_out(world: World, tmp_path: Path) -> None:
    lab, service = world
    paper = tmp_path / "four-pages.pdf"
    paper.write_bytes(pdf([PAPER] * 4))
    whole = middle_json(paper)
    part = whole | {"pages": whole["pages"][:2]}
    serve_mineru(service, whole)
    lab.ok("submit", str(paper), "--wait", "--timeout", "120")
    good = job_of(lab, "file:four-pages.pdf")
    serve_mineru(service, part)
    healthy = service.answers["/v1/health"][0]
    service.answers["/v1/health"] = [Answer(b"busy", 503), Answer(b"busy", 503), healthy]
    lab.run("submit", str(paper), "--again", "--wait", "--timeout", "60")
    bad = job_of(lab, "file:four-pages.pdf")
    assert bad != good
    desk = reproduce(lab, [good, bad], "mineru")
    found = verdict(desk, "diff", "--jobs", good, bad)
    assert found["first"]["stage"] == "pdf_gate"
    facts = {one["field"]: (one["a"], one["b"]) for one in found["divergences"] if one["stage"] == "pdf_gate"}
    assert facts["missing_pages"][1] == [3, 4]
    run = json.loads((desk.home / "data" / "repro" / "runs" / "1.json").read_text())
    [read] = [one for one in run["steps"] if one["job"] == bad and one["stage"] == "pdf_gate"]
    assert [one["kind"] for one in read["tries"]] == ["service", "service"]


def test_a_storm_of_429_that_opens_a_breaker(world: World) -> None:
    lab, service = world
    strict = {
        "name": "polite-api",
        "max_attempts": 3,
        "backoff_strategy": "none",
        "timeout_seconds": 10,
        "circuit_breaker": {"failure_threshold": 3, "reset_timeout_seconds": 30},
    }
    service.answers["/ct/studies/NCT77000040"] = [Answer(json.dumps(study("NCT77000040")).encode())]
    lab.ok("submit", "NCT77000040", "--wait", "--timeout", "60")
    (lab.home / "config" / "policies.yaml").write_text(yaml.safe_dump({"policies": [strict]}))
    keys = [f"NCT7700004{n}" for n in (1, 2, 3)]
    busy = [Answer(b"slow down", 429), Answer(b"slow down", 429), Answer(b"slow down", 429)]
    for key in keys:
        service.answers[f"/ct/studies/{key}"] = [*busy, Answer(json.dumps(study(key)).encode())]
    lab.run("submit", *keys, "--wait", "--timeout", "100")
    (lab.home / "config" / "policies.yaml").unlink()
    shown = [lab.ok("jobs", "show", f"clinicaltrials:{key}") for key in keys]
    assert any("suspended for another" in str(one["reason"]) for one in shown), [one["reason"] for one in shown]
    desk = reproduce(lab, [one["job_id"] for one in shown], "storm")
    run = json.loads((desk.home / "data" / "repro" / "runs" / "1.json").read_text())
    assert [one["state"] for one in run["breakers"]][:1] == ["open"]
    assert run["seconds"] < 20
    found = verdict(desk, "bisect", "policies")
    assert "policy polite-api: max_attempts 5 → 3" in found["changes"]
    assert found["first"]["stage"] == "ingest"


def test_a_truncated_pdf(world: World) -> None:
    lab, service = world
    serve_mineru(service, middle_json(GOOD_PAPER))
    data = GOOD_PAPER.read_bytes()
    address = f"{service.url}/files/paper.pdf"
    record = {"doi": "10.7700/x.1", "is_oa": True, "best_oa_location": {"url_for_pdf": address}, "oa_locations": []}
    service.answers["/up/10.7700/x.1"] = [Answer(json.dumps(record).encode())]
    kind = {"content-type": "application/pdf"}
    service.answers["/files/paper.pdf"] = [Answer(data, headers=kind), Answer(data[: len(data) // 2], headers=kind)]
    lab.ok("submit", "10.7700/x.1", "--source", "unpaywall", "--wait", "--timeout", "120")
    good = job_of(lab, "unpaywall:10.7700/x.1")
    lab.run("submit", "10.7700/x.1", "--source", "unpaywall", "--again", "--wait", "--timeout", "60")
    bad = job_of(lab, "unpaywall:10.7700/x.1")
    desk = reproduce(lab, [good, bad], "truncated")
    found = verdict(desk, "diff", "--jobs", good, bad)
    assert found["first"]["stage"] == "download_pdf"
    sizes = [(one["a"], one["b"]) for one in found["divergences"] if one["field"] == "size"]
    assert sizes == [(len(data), len(data) // 2)]
    archive = (lab.home.parent / "truncated.mklab").read_bytes()
    assert b"jane.secret" not in archive


def test_a_vocabulary_that_changed(world: World, tmp_path: Path) -> None:
    lab, _ = world
    path = write_study(tmp_path, "NCT77000051", "Participants with diabetes do qigong breathing every day.")
    lab.ok("submit", path, "--wait", "--timeout", "60")
    good = job_of(lab, "clinicaltrials:NCT77000051")
    vocabulary_store.save(
        lab.home / "data" / vocabulary_store.FOLDER, [Concept("mesh:D999901", "Procedure", "Qigong", ("Qigong",))]
    )
    lab.ok("restart", "engine-compute")
    lab.ok("submit", path, "--again", "--wait", "--timeout", "60")
    bad = job_of(lab, "clinicaltrials:NCT77000051")
    desk = reproduce(lab, [good, bad], "vocabulary")
    found = verdict(desk, "diff", "--jobs", good, bad)
    assert found["first"]["stage"] == "extract"
    assert any("vocabulary" in cause for cause in found["causes"])
    version = vocabulary_store.current(lab.home / "data" / vocabulary_store.FOLDER)
    uses = [f'extract=extract.structured:{{"vocabulary": "{name}"}}' for name in ("bundled", version)]
    assert verdict(desk, "bisect", "implementation", *uses)["first"]["stage"] == "extract"


def test_an_embedding_endpoint_with_another_dimension(world: World, tmp_path: Path) -> None:
    lab, service = world
    topology = pipeline("remote")
    options = {"base_url": f"{service.url}/v1", "model": "m", "dimension": 8}
    topology["stages"][3] |= {"implementation": "test.endpoint", "with": options, "policy": "once"}
    write_pipeline(lab, topology)
    service.answers["/v1/embeddings"] = embeddings(8)
    path = write_study(tmp_path, "NCT77000061", sentences(25))
    lab.ok("submit", path, "--pipeline", "remote", "--wait", "--timeout", "60")
    good = job_of(lab, "clinicaltrials:NCT77000061")
    service.answers["/v1/embeddings"] = embeddings(12)
    lab.run("submit", path, "--pipeline", "remote", "--again", "--wait", "--timeout", "60")
    bad = job_of(lab, "clinicaltrials:NCT77000061")
    desk = reproduce(lab, [good, bad], "dimension")
    found = verdict(desk, "diff", "--jobs", good, bad)
    assert found["first"]["stage"] == "embed"
    assert "12 numbers instead of 8" in found["first"]["b"]


def events(lab: PluggedLab) -> list[dict[str, Any]]:
    """All events of the ledger."""
    return [json.loads(line) for line in lab.run("events", "--after", "0", "--json").out.splitlines()]


def test_calls_that_jobs_share_are_said_and_run_again_together(world: World, tmp_path: Path) -> None:
    lab, service = world
    topology = pipeline("shared")
    options = {"base_url": f"{service.url}/v1", "model": "m", "dimension": 8}
    topology["stages"][3] |= {"implementation": "test.endpoint", "with": options, "policy": "once"}
    write_pipeline(lab, topology)
    service.answers["/v1/embeddings"] = embeddings(8)
    paths = [write_study(tmp_path, f"NCT770001{number:02}", sentences(8)) for number in range(20)]
    lab.ok("submit", *paths, "--pipeline", "shared", "--wait", "--timeout", "100")
    claims = [one["jobs"] for one in events(lab) if one["data"].get("pipeline") == "shared"]
    together = next(jobs for jobs in claims if len(jobs) > 1)
    preview = lab.ok("repro", "export", together[1], "--preview", "--out", str(tmp_path / "none.mklab"))
    assert [one for one in preview["missing"] if "made for other jobs as well" in one]
    assert preview["shared_with"] == sorted(job for job in together if job != together[1])
    assert not (tmp_path / "none.mklab").exists()
    for job in together:
        alone = tmp_path / f"{job}.mklab"
        lab.ok("repro", "export", job, "--out", str(alone))
        own = lab.ok("jobs", "show", job)["doc_id"].partition(":")[2]
        packed = zipfile.ZipFile(alone)
        told = {key for one in packed.namelist() for key in re.findall(rb"NCT770001\d\d", packed.read(one))}
        assert told == {own.encode()}
    out = tmp_path / "together.mklab"
    assert lab.ok("repro", "export", *together, "--out", str(out))["missing"] == []
    assert lab.run("repro", "verify", str(out)).code == 0


def test_events_that_were_pruned_come_from_the_archive(world: World, tmp_path: Path) -> None:
    lab, _ = world
    path = write_study(tmp_path, "NCT77000081", sentences(5))
    lab.ok("submit", path, "--wait", "--timeout", "60")
    job = job_of(lab, "clinicaltrials:NCT77000081")
    lab.ok("repro", "export", job, "--out", str(tmp_path / "before.mklab"))
    lab.ok("submit", write_study(tmp_path, "NCT77000082", sentences(5)), "--wait", "--timeout", "60")
    last = max(one["seq"] for one in events(lab) if job in one["jobs"])
    wait_until(lambda: lab.ok("ledger", "prune", "--keep", "1")["low"] >= last, 30, "the job's events are pruned")
    lab.ok("repro", "export", job, "--out", str(tmp_path / "after.mklab"))
    assert (tmp_path / "after.mklab").read_bytes() == (tmp_path / "before.mklab").read_bytes()
    [archived] = (lab.home / "data").glob("ledger/archive")
    archived.rename(tmp_path / "archive")
    try:
        refused = lab.run("repro", "export", job, "--out", str(tmp_path / "without.mklab"))
    finally:
        archived.exists() or (tmp_path / "archive").rename(archived)
    assert (refused.code, "were pruned" in refused.err) == (1, True)
    assert not (tmp_path / "without.mklab").exists()


def test_vectors_of_a_model_of_ones_own(world: World, tmp_path: Path) -> None:
    lab, _ = world
    model = lab.ok("models", "add", str(small_model(tmp_path)))["model"]
    topology = pipeline("own")
    topology["stages"][3] |= {"implementation": "onnx.encoder", "with": {"model": "small"}}
    write_pipeline(lab, topology)
    path = write_study(tmp_path, "NCT77000051", sentences(3))
    lab.ok("submit", path, "--pipeline", "own", "--wait", "--timeout", "120")
    desk = reproduce(lab, [job_of(lab, "clinicaltrials:NCT77000051")], "own")
    told = desk.run("repro", "show")
    assert model in told.out
    assert "models add DIR --name small" in told.err
    [entry] = desk.ok("repro", "show")["models"]
    assert entry["model"] == model
    assert set(entry["sha256"]) == {"model.onnx", "tokenizer.json"}
    assert how_embedded(desk, "1") == "recorded"
    desk.ok("models", "add", str(tmp_path / "small"))
    assert desk.ok("repro", "run")["first"] is None
    assert how_embedded(desk, "2") == "ran"
    assert "is not here" not in desk.run("repro", "show").err


def how_embedded(desk: PluggedLab, run: str) -> str:
    steps = json.loads((desk.home / "data" / "repro" / "runs" / f"{run}.json").read_text())["steps"]
    return str(next(step["how"] for step in steps if step["stage"] == "embed"))
