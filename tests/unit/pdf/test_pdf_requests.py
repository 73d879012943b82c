"""What a PDF request is, what is none, and that it is compared with the ledger's job in everything that it says."""

import json
from typing import Any

import pytest

from medkg_lab.ledger.answers import JobDetail
from medkg_lab.models.submission import Payload
from medkg_lab.pdf.errors import NoPdf, NotAPdfRequest, PdfRequestDisagrees
from medkg_lab.pdf.request_consumer import parse
from medkg_lab.pdf.waiting import still_waits, waiting_pdf
from medkg_lab.stages.kinds import KINDS
from tests import answers

PAYLOAD = Payload(
    sha256="0" * 64, media_type="application/pdf", size=1, name="a.pdf", source="file", key="folder/a.pdf"
)
REQUEST = {
    "schema": "medkg.pdf.request/1",
    "job_id": "j",
    "doc_id": "file:folder/a.pdf",
    "tenant_id": "default",
    "pipeline": "pdf-two-phase",
    "gate": "pdf_gate",
    "content": "0" * 64,
    "name": "a.pdf",
}


def job(**changes: Any) -> JobDetail:
    gate = {"gate": "pdf_gate"} | changes.pop("gate", {})
    made: dict[str, Any] = {name: REQUEST[name] for name in ("job_id", "doc_id", "tenant_id", "pipeline")}
    return answers.job(**made | {"state": "waiting_gate", "gate": gate, "outputs": {"payload": "p"}} | changes)


def load(sha256: str) -> bytes:
    assert sha256 == "p"
    return KINDS["payload"].encode(PAYLOAD)


def test_a_request_that_says_what_the_ledger_says_is_fine() -> None:
    request = parse(json.dumps(REQUEST | {"later": 1}).encode())
    request.check(waiting_pdf(job(), load))
    assert request.content == PAYLOAD.sha256


@pytest.mark.parametrize("name", ["doc_id", "tenant_id", "pipeline", "gate", "content", "name"])
def test_a_request_that_says_something_else_is_found_out(name: str) -> None:
    with pytest.raises(PdfRequestDisagrees, match=f"another {name} than"):
        parse(json.dumps(REQUEST | {name: "other"}).encode()).check(waiting_pdf(job(), load))


@pytest.mark.parametrize("message", [b"", b"[]", b"{", b"{}", b'"\\ud800"', b"\xff", b"x" * 70_000, b"[" * 5000])
def test_what_is_not_a_request(message: bytes) -> None:
    with pytest.raises(NotAPdfRequest):
        parse(message)


@pytest.mark.parametrize("value", [None, 5, [], {}, "x" * 65])
def test_a_job_id_is_a_short_text(value: object) -> None:
    with pytest.raises(NotAPdfRequest):
        parse(json.dumps(REQUEST | {"job_id": value}).encode())


def test_a_job_that_no_stage_gave_a_pdf_has_none() -> None:
    with pytest.raises(NoPdf):
        waiting_pdf(job(outputs={}), load)


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, True),
        ({"state": "completed"}, False),
        ({"gate": {"state": "open"}}, False),
        ({"gate": {"evidence": {"document": "d"}}}, False),
        ({"gate": {"condition": {"ledger_field": "approved", "equals": True}}}, False),
    ],
)
def test_only_jobs_at_a_pdf_gate_without_a_document_wait(changes: dict[str, Any], waits: bool) -> None:
    assert still_waits(job(**changes)) is waits
