"""Content decides which document something is: two contents never share an id unless a person or a registry says so."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.identity import Identified, Identities
from medkg_lab.lab.lookup import NoSuchJob, SeveralDocuments, find_document, find_job, find_node, replaced_version
from medkg_lab.ledger.answers import Selected
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named, statement
from medkg_lab.models.events import CompletedJob, JobCompleted
from medkg_lab.models.identity import file_id, plain
from medkg_lab.models.submission import Content, Submission
from medkg_lab.sources.files import expand
from tests.unit.ledger.worlds import VERSIONS, World, completed, ids, started

A, B, C = "a" * 64, "b" * 64, "c" * 64


def request(key: str, content: str, source: str = "file", **more: Any) -> Submission:
    return Submission(source=source, key=key, content=Content(sha256=content), pipeline="plain", **more)


class Answers:
    """A ledger that answers questions from its tables."""

    def __init__(self, world: World) -> None:
        self.world = world

    def rows(self, query: Named, params: Sequence[Any], limit: int = 1000, timeout_s: float = 10.0) -> Selected:
        self.world.core.project()
        asked = statement(query, params)
        found = self.world.core.views.cursor().execute(asked.sql, list(asked.parameters)).fetchmany(limit)
        return Selected([], list(map(list, found)), False)

    def jobs(self, limit: int = 100, after: str | None = None, **filters: str | None) -> Any:
        self.world.core.project()
        given = {name: value for name, value in filters.items() if value is not None}
        with self.world.core.views.questions() as questions:
            return questions.jobs(given, limit, after)

    def get(self, job_id: str) -> Any:
        self.world.core.project()
        return next((job for job in self.jobs() if job.job_id == job_id), None)


class Rig:
    """A ledger with documents in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = cast(LedgerClient, Answers(world))
        self.lab = cast(Lab, self)

    def of(self, *requests: Submission) -> list[Identified]:
        return Identities(self.ledger, "default").of(requests)

    def complete(self, one: Submission, doc_id: str | None = None) -> str:
        """Take a request through the pipeline to its end."""
        job = one.job_id("plain")
        content = one.content.sha256 if one.content else None
        spec = {
            "tenant_id": one.tenant_id,
            "source": one.source,
            "doc_key": one.key,
            "doc_id": doc_id or one.doc_id,
            "content": content,
        }
        spec |= {"submission": one.model_dump(mode="json", exclude_none=True), "pipeline_version": VERSIONS["plain"]}
        self.world.submit(job, **spec)
        batch = self.world.claim()
        assert ids(batch) == [job]
        for stage in batch["stages"]:
            self.world.record(batch, started(stage, [job]), completed(stage, [job]))
        end = JobCompleted(False, (CompletedJob(job, content),))
        self.world.record(batch, end)
        return job


@pytest.fixture
def rig(world: World) -> Rig:
    return Rig(world)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path)
    yield made
    made.core.close()


def test_two_contents_of_one_name_are_two_documents(rig: Rig) -> None:
    first, second = rig.of(request("x.pdf", A), request("x.pdf", B))
    assert first.submission.doc_id != second.submission.doc_id
    assert [first.what, second.what] == ["new", "new"]
    assert plain(first.submission.doc_id) == plain(second.submission.doc_id) == "file:x.pdf"
    rig.complete(first.submission)
    [again] = rig.of(request("x.pdf", B))
    assert (again.what, again.submission.doc_id) == ("new", second.submission.doc_id)


def test_the_same_content_is_one_document_whatever_its_name(rig: Rig) -> None:
    job = rig.complete(request("x.pdf", A))
    [found] = rig.of(request("folder/y.pdf", A))
    assert (found.what, found.other) == ("known", file_id("x.pdf", A))
    assert (found.submission.doc_id, found.submission.job_id("plain")) == (file_id("x.pdf", A), job)
    one, two = rig.of(request("p.pdf", B), request("q.pdf", B))
    assert (one.what, two.what, two.other) == ("new", "known", file_id("p.pdf", B))
    assert one.submission.job_id("plain") == two.submission.job_id("plain")


def test_content_is_known_before_its_job_has_ended(rig: Rig) -> None:
    one = request("x.pdf", A)
    spec = {"source": "file", "doc_key": "x.pdf", "doc_id": one.doc_id, "content": A}
    rig.world.submit(one.job_id("plain"), **spec)
    [found] = rig.of(request("y.pdf", A))
    assert (found.what, found.submission.doc_id) == ("known", one.doc_id)


def test_a_document_of_an_older_lab_keeps_its_id(rig: Rig) -> None:
    job = rig.complete(request("x.pdf", A), doc_id="file:x.pdf")
    [found] = rig.of(request("x.pdf", A))
    assert (found.what, found.other, found.submission.doc_id) == ("known", "", "file:x.pdf")
    assert found.before is not None
    assert found.before.job_id("plain") == job
    [other] = rig.of(request("x.pdf", B))
    assert (other.what, other.submission.doc_id) == ("new", file_id("x.pdf", B))


def test_a_person_may_say_that_one_replaces_another(rig: Rig) -> None:
    rig.complete(request("x.pdf", A))
    [found] = rig.of(request("new.pdf", B, replaces=file_id("x.pdf", A)))
    assert (found.what, found.submission.doc_id) == ("replaces", file_id("x.pdf", A))
    assert found.replaced is not None
    assert found.replaced.content == A
    second = rig.complete(found.submission)
    shown = rig.ledger.jobs(doc=file_id("x.pdf", A))
    assert shown[0].job_id == second
    replaced = replaced_version(rig.lab, shown[0])
    assert replaced is not None
    assert replaced.job_id == shown[1].job_id
    [same] = rig.of(request("elsewhere.pdf", B))
    assert (same.what, same.submission.doc_id) == ("known", file_id("x.pdf", A))
    assert same.submission.job_id("plain") == second


def test_a_registry_replaces_its_own_versions_and_that_is_seen(rig: Rig) -> None:
    rig.complete(request("NCT00000001", A, "clinicaltrials"))
    [same, newer] = rig.of(request("NCT00000001", A, "clinicaltrials"), request("NCT00000001", B, "clinicaltrials"))
    assert (same.what, newer.what) == ("known", "replaces")
    assert newer.replaced is not None
    assert newer.replaced.content == A


def test_hashes_that_begin_alike_are_told_apart(rig: Rig) -> None:
    twin = A[:12] + "0" * 52
    rig.complete(request("x.pdf", A))
    [found] = rig.of(request("x.pdf", twin))
    assert found.what == "new"
    assert found.submission.doc_id not in (file_id("x.pdf", A), "file:x.pdf")
    assert plain(found.submission.doc_id) == "file:x.pdf"


def test_a_tenant_does_not_see_the_contents_of_another(rig: Rig) -> None:
    rig.complete(request("x.pdf", A))
    [found] = Identities(rig.ledger, "other").of([request("y.pdf", A, tenant_id="other")])
    assert found.what == "new"


def test_a_name_without_its_hash_is_understood_while_only_one_has_it(rig: Rig) -> None:
    job = rig.complete(request("a/x.pdf", A))
    assert find_job(rig.lab, "file:a/x.pdf").job_id == job
    assert find_document(rig.lab, "file:a/x.pdf") == file_id("a/x.pdf", A)
    assert find_node(rig.lab, "doc:file:a/x.pdf") == f"doc:{file_id('a/x.pdf', A)}"
    assert find_node(rig.lab, "mesh:D003924") == "mesh:D003924"
    assert find_node(rig.lab, "doc:file:unknown") == "doc:file:unknown"
    rig.complete(request("a/x.pdf", B))
    with pytest.raises(SeveralDocuments, match=f"{file_id('a/x.pdf', B)}, {file_id('a/x.pdf', A)}"):
        find_job(rig.lab, "file:a/x.pdf")
    assert find_document(rig.lab, file_id("a/x.pdf", A)) == file_id("a/x.pdf", A)
    with pytest.raises(NoSuchJob):
        find_job(rig.lab, "file:x.pdf")


def test_names_are_compared_composed(rig: Rig, tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Müller.pdf")
    (tmp_path / name).write_bytes(b"%PDF-1.4")
    [document] = expand(tmp_path / name)
    rig.complete(request(document.key, A))
    assert find_job(rig.lab, "file:" + name).doc_key == unicodedata.normalize("NFC", "Müller.pdf")


@given(
    st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40), st.sampled_from([A, B]), st.sampled_from([A, B])
)
def test_ids_of_files_differ_where_contents_do(key: str, other: str, content: str, another: str) -> None:
    one, two = request(key, content), request(other, another)
    if content != another:
        assert one.doc_id != two.doc_id
    uri = {"uri": "file:///data/x.pdf"}, {"uri": "file:///data/y.pdf"}
    first, second = (Submission(source="file", key=key, content=Content.model_validate(each)) for each in uri)
    assert first.doc_id != second.doc_id


def test_another_tenant_s_document_is_not_what_is_replaced(rig: Rig, world: World) -> None:
    rig.complete(request("report.pdf", A))
    rig.complete(request("report.pdf", B, tenant_id="other"))
    assert find_document(rig.lab, "file:report.pdf", "default") == file_id("report.pdf", A)
    assert find_document(rig.lab, "file:report.pdf", "other") == file_id("report.pdf", B)
    with pytest.raises(NoSuchJob):
        find_document(rig.lab, file_id("report.pdf", A), "other")


def at_place(uri: str, **more: Any) -> Submission:
    return Submission(source="file", key="report.pdf", content=Content(uri=uri), pipeline="plain", **more)


def test_two_files_of_one_name_by_their_addresses_are_two_jobs() -> None:
    first, second = at_place("file:///a/report.pdf"), at_place("file:///b/report.pdf")
    assert first.doc_id != second.doc_id
    assert first.job_id("plain") != second.job_id("plain")
    assert first.job_id("plain") == at_place("file:///a/report.pdf", priority=3).job_id("plain")
    assert first.earlier_job_id("plain") == second.earlier_job_id("plain")
    assert request("report.pdf", A).earlier_job_id("plain") is None
