"""Ids and queries through a whole lab, against local servers that answer in the shapes of the public services."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.http_service import Answer, Asked, HttpService, http_service
from tests.labs import TestLab
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

PAPER = Path(__file__).parents[3] / "bundled_pipelines" / "demo" / "papers" / "copd-azithromycin.pdf"


def study(key: str) -> dict[str, Any]:
    """A small study of our own."""
    identification = {"nctId": key, "briefTitle": f"Breathing exercises {key}"}
    summary = {"briefSummary": f"Participants of {key} breathe slowly for ten minutes a day."}
    return {"protocolSection": {"identificationModule": identification, "descriptionModule": summary}}


def page(asked: Asked) -> Answer:
    """Three studies, two on a page."""
    keys = [f"NCT7700000{n}" for n in (1, 2, 3)]
    start = int(asked.query.get("pageToken", "0"))
    more = {"nextPageToken": str(start + 2)} if start + 2 < len(keys) else {}
    return Answer(json.dumps({"studies": [study(key) for key in keys[start : start + 2]]} | more).encode())


@pytest.fixture(scope="module")
def service() -> Iterator[HttpService]:
    with http_service() as made:
        ok = {key: [Answer(json.dumps(study(key)).encode())] for key in ("NCT77000001", "NCT77000003")}
        made.answers |= {f"/ct/studies/{key}": answers for key, answers in ok.items()}
        good = Answer(json.dumps(study("NCT77000002")).encode())
        busy = Answer(b"slow down", 429, {"retry-after": "1"})
        made.answers["/ct/studies/NCT77000002"] = [busy, Answer(b"oops", 500), good]
        made.answers["/ct/studies"] = page
        made.answers["/ct/studies/NCT77000009"] = [Answer(b"<html>maintenance</html>")]
        location = {"url_for_pdf": f"{made.url}/files/paper.pdf", "url": f"{made.url}/landing"}
        record = {
            "doi": "10.7700/x.1",
            "is_oa": True,
            "title": "A paper",
            "best_oa_location": location,
            "oa_locations": [location],
        }
        made.answers["/ids/articles/"] = [Answer(json.dumps({"records": [{"status": "error"}]}).encode())]
        made.answers["/up/10.7700/x.1"] = [Answer(json.dumps(record).encode())]
        made.answers["/files/paper.pdf"] = [Answer(PAPER.read_bytes(), headers={"content-type": "application/pdf"})]
        yield made


@pytest.fixture(scope="module")
def lab(service: HttpService) -> Iterator[TestLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    sources = {
        "clinicaltrials": {"base_url": f"{service.url}/ct"},
        "identifier": {"base_url": f"{service.url}/ids"},
        "unpaywall": {"base_url": f"{service.url}/up", "email": "someone@example.org"},
    }
    (made.home / "config").mkdir(parents=True)
    settings = {"sources": sources, "allowed_roots": [str(folder / "shared")]}
    (made.home / "config" / "settings.yaml").write_text(yaml.safe_dump(settings))
    try:
        made.ok("up")
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def test_a_query_becomes_one_job_per_document_and_trouble_is_retried(lab: TestLab, service: HttpService) -> None:
    outcome = lab.ok("submit", "breathing", "--query", "--source", "clinicaltrials", "--wait", "--timeout", "200")
    assert outcome["jobs"] == {"completed": 4}
    listed = {one["doc_id"]: one for one in lab.ok("jobs", "list")}
    assert {f"clinicaltrials:NCT7700000{n}" for n in (1, 2, 3)} <= set(listed)
    asked = [one.path for one in service.asked]
    assert asked.count("/ct/studies/NCT77000002") == 3
    events = [json.loads(line) for line in lab.run("events", "--after", "0", "--json").out.splitlines()]
    assert [one["stage"] for one in events if one["type"] == "stage.retrying"] == ["ingest", "ingest"]
    assert lab.ok("verify")["ok"] is True


def test_the_same_id_again_is_found_unchanged(lab: TestLab) -> None:
    lab.ok("submit", "NCT77000001", "--wait")
    again = lab.ok("submit", "NCT77000001", "--again", "--wait")
    assert again["jobs"] == {"completed": 1}
    assert lab.ok("search", "NCT77000001 breathe slowly")["hits"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("NCT77000008", "NCT77000008"),
        # Tried again with real pauses until the policy gives up.
        pytest.param("NCT77000009", "127.0.0.1", marks=pytest.mark.full),
    ],
)
def test_what_cannot_be_had_ends_with_a_reason(lab: TestLab, key: str, said: str) -> None:
    done = lab.run("submit", key, "--wait", "--json", "--timeout", "120")
    assert done.code == 1
    [failure] = done.json()["failures"]
    assert failure["kind"] in {"bad_input", "service"}
    assert said in failure["reason"]


def test_a_doi_is_followed_to_its_pdf_and_through_the_gate(lab: TestLab) -> None:
    outcome = lab.ok("submit", "https://doi.org/10.7700/X.1", "--wait", "--timeout", "200")
    assert outcome["jobs"] == {"completed": 2}
    job = lab.ok("jobs", "show", "unpaywall:10.7700/x.1")
    assert [one["stage"] for one in job["stages"]][:2] == ["ingest", "download_pdf"]
    assert job["pipeline"] == "pdf-two-phase"
    assert any("azithromycin" in hit["text"].lower() for hit in lab.ok("search", "azithromycin COPD")["hits"])


def produce_file(lab: TestLab, path: Path, key: str) -> dict[str, Any]:
    """Ask for a file by its address, as any Kafka producer could, and return its job once it has ended."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(study(key)))
    request = {"source": "clinicaltrials", "key": key, "content": {"uri": path.as_uri()}}
    assert lab.run("broker", "produce", "ingest.requests.v1", json.dumps(request)).code == 0

    def ended() -> dict[str, Any] | None:
        done = lab.run("jobs", "show", f"clinicaltrials:{key}", "--json")
        return done.json() if done.code == 0 and done.json()["state"] in {"completed", "failed"} else None

    return wait_until(ended, 60, "the job ends") or {}


def test_a_file_within_the_allowed_roots_is_read_and_no_other(lab: TestLab) -> None:
    assert produce_file(lab, lab.home.parent / "shared" / "a.json", "NCT77000011")["state"] == "completed"
    refused = produce_file(lab, lab.home.parent / "private" / "b.json", "NCT77000012")
    assert refused["state"] == "failed"
    assert "allowed" in refused["reason"]
