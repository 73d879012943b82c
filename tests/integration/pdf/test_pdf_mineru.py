"""The MinerU converter against a server that answers in the shapes of mineru-api 4."""

import json

import pytest

from medkg_lab.pdf.converter import Bounds
from medkg_lab.pdf.errors import ConversionStopped, EncryptedPdf, MineruFailed, MineruUnreachable, PdfTooSlow
from medkg_lab.pdf.mineru import MineruConverter
from medkg_lab.sources.http_client import HttpxClient
from tests.http_service import Answer, http_service
from tests.pdf_files import PAPER, pdf

MIDDLE = {"schema": "docvortex.middle", "schema_version": "2.0", "pages": [], "is_full_document": True}
JOB = "/v1/parse/jobs/job-1"


def answer(value, status=200):
    return Answer(json.dumps(value).encode(), status)


def job(status, file_status="completed", **file):
    outputs = {"output_files": {"middle_json": {"file_id": "f-1", "bytes": 9}}} if file_status == "completed" else {}
    return answer(
        {"job_id": "job-1", "status": status, "files": [{"name": "in.pdf", "status": file_status} | outputs | file]}
    )


@pytest.fixture
def service():
    with http_service() as running:
        running.answers["/v1/health"] = [answer({"status": "ok", "version": "4.0.12"})]
        running.answers["/v1/parse/jobs"] = [Answer(job("queued", "queued").body, 202)]
        running.answers[JOB] = [job("queued", "queued"), job("running", "running"), job("completed")]
        running.answers["/v1/files/f-1/content"] = [answer(MIDDLE)]
        yield running


def convert(service, data=None, timeout=30.0, stopping=lambda: False, url=None):
    with HttpxClient(trusted=frozenset({service.host})) as http:
        bounds = Bounds(timeout, 4096, 10_000_000)
        converter = MineruConverter(http, url or service.url, "standard", bounds, poll_seconds=0.01)
        return converter.convert(data or pdf([PAPER, []]), stopping)


def test_job_is_followed_to_its_end(service):
    made = convert(service)
    assert made.middle == MIDDLE
    assert (made.pages, made.blank_pages, made.tool, made.tool_version) == (
        2,
        frozenset({2}),
        "mineru-standard",
        "4.0.12",
    )
    created = next(asked for asked in service.asked if asked.method == "POST")
    request = json.loads(created.body)
    assert request["tier"] == "standard"
    assert request["output_formats"] == ["middle_json"]
    assert request["files"][0]["source"]["type"] == "local"


def test_encrypted_pdf_is_not_sent(service):
    with pytest.raises(EncryptedPdf):
        convert(service, pdf([PAPER], encrypt="secret"))
    assert service.asked == []


def test_server_that_is_down_or_ill(service):
    service.answers["/v1/health"] = [Answer(b"starting", 503)]
    with pytest.raises(MineruUnreachable):
        convert(service)
    service.answers["/v1/health"] = [Answer(b"<html>")]
    with pytest.raises(MineruUnreachable):
        convert(service)


@pytest.mark.parametrize(
    ("path", "given", "words"),
    [
        (
            "/v1/parse/jobs",
            answer({"error": {"type": "invalid_request", "message": "tier not served"}}, 400),
            "tier not served",
        ),
        ("/v1/parse/jobs", Answer(b"oops", 500), "500"),
        (JOB, job("failed", "failed", error={"type": "engine_error", "message": "engine\x1b[31m died"}), "died"),
        (JOB, job("canceled", "failed"), "canceled"),
        (JOB, answer({"status": "completed", "files": []}), "without middle_json"),
        (
            JOB,
            answer({"status": "completed", "files": [{"status": "completed", "output_files": {}}]}),
            "without middle_json",
        ),
        ("/v1/files/f-1/content", Answer(b"{}x"), "no JSON object"),
        ("/v1/files/f-1/content", Answer(b"", 404), "404"),
    ],
)
def test_job_that_fails(service, path, given, words):
    service.answers[path] = [given]
    with pytest.raises(MineruFailed) as caught:
        convert(service)
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_job_that_never_ends_is_cancelled(service):
    service.answers[JOB] = [job("running", "running")]
    with pytest.raises(PdfTooSlow):
        convert(service, timeout=1.0)
    assert service.asked[-1].method == "DELETE"


def test_job_is_cancelled_when_the_process_ends(service):
    service.answers[JOB] = [job("running", "running")]
    with pytest.raises(ConversionStopped):
        convert(service, stopping=lambda: len(service.asked) > 4)
    assert service.asked[-1].method == "DELETE"
