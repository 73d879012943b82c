"""What a PDF request is, and what is none."""

import json

import pytest

from medkg_lab.pdf.errors import NotAPdfRequest
from medkg_lab.pdf.requests import parse

REQUEST = {
    "schema": "medkg.pdf.request/1",
    "job_id": "j",
    "doc_id": "file:a.pdf",
    "tenant_id": "default",
    "pipeline": "pdf-two-phase",
    "gate": "pdf_gate",
    "content": "0" * 64,
    "name": "a.pdf",
}


def test_request_with_more_than_we_know():
    assert parse(json.dumps(REQUEST | {"later": 1}).encode()).content == "0" * 64


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"[]",
        b"{",
        json.dumps(REQUEST | {"content": "../x"}).encode(),
        json.dumps(REQUEST | {"schema": "other/1"}).encode(),
        b"x" * 70_000,
    ],
)
def test_what_is_no_request(message):
    with pytest.raises(NotAPdfRequest):
        parse(message)
