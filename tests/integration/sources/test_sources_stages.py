"""The ingest and download stages with a real store and a real server."""

import asyncio
import io
import json
import zipfile

import pytest

from medkg_lab.artifacts.store import ArtifactMissing
from medkg_lab.models.submission import Content, Payload, Submission
from medkg_lab.sources.errors import (
    AnswerTooBig,
    ContainerRefused,
    NoContent,
    NoPdfAddress,
    NotAPdf,
    NotFound,
    OutsideAllowedRoots,
    UnknownSource,
)
from medkg_lab.stages.download.implementation import FULLTEXT, DownloadOptions
from medkg_lab.stages.ingest.implementation import SOURCES
from medkg_lab.stages.registry import Resources
from tests.http_service import Answer
from tests.integration.sources.support import bench

STUDY = {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}


@pytest.fixture
def at(tmp_path):
    with bench(tmp_path) as made:
        yield made


@pytest.fixture
def ingest(at, tmp_path):
    settings = {"clinicaltrials": {"base_url": at.service.url}}
    resources = Resources(cache=tmp_path, allowed_roots=(tmp_path / "in",), source_settings=settings)
    return SOURCES.build(resources, SOURCES.parse_options({}))


def given(sha256=None, uri=None, **more):
    return Submission(source="file", key="k", content=Content(sha256=sha256, uri=uri, **more))


def test_artifact_is_passed_on(at, ingest):
    sha = at.store.put(b"%PDF-1.4 x")
    payload = asyncio.run(ingest.execute(at.context, given(sha, name="a.pdf")))
    assert payload == Payload(sha256=sha, media_type="application/pdf", size=10, name="a.pdf", source="file", key="k")


def test_artifact_that_is_not_there(at, ingest):
    with pytest.raises(ArtifactMissing):
        asyncio.run(ingest.execute(at.context, given("0" * 64)))


def test_file_is_read_and_stored(at, ingest, tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.xml"
    path.write_bytes(b"<x/>")
    payload = asyncio.run(ingest.execute(at.context, given(uri=path.as_uri())))
    assert at.store.get(payload.sha256) == b"<x/>"
    assert (payload.media_type, payload.name) == ("application/xml", "a.xml")
    with pytest.raises(OutsideAllowedRoots):
        asyncio.run(ingest.execute(at.context, given(uri="file:///etc/hostname")))


def test_content_that_holds_many_documents_expands(at, ingest):
    other = {"protocolSection": {"identificationModule": {"nctId": "NCT00000002"}}}
    sha = at.store.put(json.dumps([STUDY, other]).encode())
    found = asyncio.run(ingest.execute(at.context, given(sha)))
    assert [(s.source, s.key, s.pipeline) for s in found] == [
        ("clinicaltrials", "NCT00000001", "auto"),
        ("clinicaltrials", "NCT00000002", "auto"),
    ]
    assert json.loads(at.store.get(found[1].content.sha256)) == other


def test_source_by_id_and_query(at, ingest):
    at.service.answers["/studies/NCT00000001"] = [Answer(json.dumps(STUDY).encode())]
    at.service.answers["/studies"] = [Answer(json.dumps({"studies": [STUDY]}).encode())]
    payload = asyncio.run(ingest.execute(at.context, Submission(source="clinicaltrials", key="NCT00000001")))
    assert payload.size == len(json.dumps(STUDY))
    found = asyncio.run(ingest.execute(at.context, Submission(source="clinicaltrials", query="x")))
    assert [s.key for s in found] == ["NCT00000001"]


def test_what_has_no_bytes(at, ingest):
    with pytest.raises(NoContent):
        asyncio.run(ingest.execute(at.context, Submission(source="file", key="k")))
    with pytest.raises(UnknownSource, match="clinicaltrials"):
        asyncio.run(ingest.execute(at.context, Submission(source="elsewhere", key="k")))


def record(at, **metadata):
    return Payload(sha256="0" * 64, media_type="application/json", size=1, source="core", key="4/2", metadata=metadata)


def download(**options):
    return FULLTEXT.build(Resources(cache=None), DownloadOptions(**options))


def test_pdf_is_fetched(at):
    at.service.answers["/a.pdf"] = [Answer(b"\n%PDF-1.7 body", headers={"content-type": "application/pdf"})]
    payload = asyncio.run(download().execute(at.context, record(at, pdf_url=at.service.url + "/a.pdf", doi="d")))
    assert at.store.get(payload.sha256) == b"\n%PDF-1.7 body"
    assert (payload.media_type, payload.name, payload.key) == ("application/pdf", "4_2.pdf", "4/2")
    assert payload.metadata == {"pdf_url": at.service.url + "/a.pdf", "doi": "d", "record": "0" * 64}


def test_pdf_passes_unchanged(at):
    payload = Payload(sha256="0" * 64, media_type="application/pdf", size=1, source="file", key="k")
    assert asyncio.run(download().execute(at.context, payload)) is payload
    assert at.service.asked == []


def test_pdf_that_cannot_be_had(at):
    at.service.answers["/page"] = [Answer(b"<html>please log in", headers={"content-type": "text/html; charset=x"})]
    at.service.answers["/big"] = [Answer(b"%PDF-1.4" + b"x" * 100)]
    with pytest.raises(NotAPdf, match="text/html"):
        asyncio.run(download().execute(at.context, record(at, pdf_url=at.service.url + "/page")))
    with pytest.raises(AnswerTooBig):
        asyncio.run(download(max_bytes=50).execute(at.context, record(at, pdf_url=at.service.url + "/big")))
    with pytest.raises(NotFound):
        asyncio.run(download().execute(at.context, record(at, pdf_url=at.service.url + "/none")))
    with pytest.raises(NoPdfAddress):
        asyncio.run(download().execute(at.context, record(at)))


def zipped(**files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def test_a_container_becomes_a_submission_for_each_document(at, ingest):
    study = json.dumps(STUDY).encode()
    packed = at.store.put(zipped(**{"a.json": study, "b/c.txt": b"text", "fig.png": b"\x89PNG"}))
    found = asyncio.run(ingest.execute(at.context, given(packed, name="all.zip")))
    assert [(one.source, one.key, one.content.media_type) for one in found] == [
        ("clinicaltrials", "NCT00000001", "application/json"),
        ("file", "k/b/c.txt", "text/plain"),
    ]
    assert at.store.get(found[0].content.sha256) == study
    assert isinstance(asyncio.run(ingest.execute(at.context, found[0])), Payload)
    assert asyncio.run(ingest.execute(at.context, found[1])).media_type == "text/plain"


def test_a_container_that_is_not_safe_or_not_whole_is_refused(at, ingest):
    for data, said in (
        (zipped(**{"../a.json": b"{}", "b.json": b"{}"}), "leads out"),
        (zipped(**{"fig.png": b"x"}), "none of its 1 members"),
        (zipped(a=b"x")[:30], "damaged"),
    ):
        with pytest.raises(ContainerRefused, match=said):
            asyncio.run(ingest.execute(at.context, given(at.store.put(data), name="all.zip")))
