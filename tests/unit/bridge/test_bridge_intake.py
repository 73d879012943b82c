"""What intake makes of messages: jobs of good ones, a clear reason for bad ones."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.bridge.intake import MAX_REQUEST_BYTES, Intake, NotARequest, parse
from medkg_lab.bridge.specs import job_spec, pipeline_of
from medkg_lab.broker.record import Record
from medkg_lab.broker.topics import Topics
from medkg_lab.locations import locate
from medkg_lab.models.job import JobSpec
from medkg_lab.models.submission import Submission
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.signing import Signer
from medkg_lab.topology.catalog import Catalog
from tests import answers

SHA = "0" * 64


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "no value"),
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "request"),
        (b"{}", "source"),
        (b'{"source": "pmc"}', "key or a query"),
        (b'{"source": "pmc", "key": 5}', "key"),
        (b'{"source": "pmc", "key": "x", "shell": "rm"}', "shell"),
        (b'{"source": "../etc", "key": "x"}', "source"),
        (b'{"source": "pmc", "key": "x", "content": {"sha256": "zz"}}', "sha256"),
        (b'{"source": "pmc", "key": "x", "content": {"uri": "http://evil"}}', "uri"),
        (json.dumps({"source": "pmc", "key": "x", "metadata": {"a": "b" * MAX_REQUEST_BYTES}}).encode(), "limit"),
    ],
)
def test_a_bad_message_is_refused_with_its_reason(value: bytes | None, said: str) -> None:
    with pytest.raises(NotARequest, match=said):
        parse(value)


@given(st.binary(max_size=300))
def test_any_bytes_are_either_a_submission_or_refused(value: bytes) -> None:
    found: object = None
    with contextlib.suppress(NotARequest):
        found = parse(value)
    assert found is None or isinstance(found, Submission)


def test_the_same_submission_is_the_same_job() -> None:
    value = json.dumps({"source": "pmc", "key": "PMC1", "content": {"sha256": SHA}}).encode()
    assert parse(value).job_id("auto") == parse(value).job_id("auto")


@pytest.mark.parametrize(
    "change",
    [{"key": "PMC2"}, {"tenant_id": "b"}, {"source": "core"}, {"again": "1"}, {"content": {"sha256": "1" * 64}}],
)
def test_a_different_submission_is_a_different_job(change: dict[str, object]) -> None:
    base = {"source": "pmc", "key": "PMC1", "content": {"sha256": SHA}}
    ids = {parse(json.dumps(one).encode()).job_id("auto") for one in (base, base | change)}
    assert len(ids) == 2


def test_moving_a_file_or_renaming_its_tags_changes_no_job() -> None:
    base = {"source": "pmc", "key": "PMC1", "content": {"sha256": SHA, "name": "a.xml"}}
    moved = base | {"content": {"sha256": SHA, "name": "b.xml"}, "metadata": {"x": "y"}, "priority": 3}
    assert parse(json.dumps(base).encode()).job_id("auto") == parse(json.dumps(moved).encode()).job_id("auto")


@pytest.fixture
def catalog(short_tmp: "object") -> Catalog:
    return Catalog(locate(str(short_tmp)))


def test_known_bytes_need_no_network(catalog: Catalog) -> None:
    submission = Submission.model_validate({"source": "clinicaltrials", "key": "NCT1", "content": {"sha256": SHA}})
    spec = job_spec(submission, catalog.topology(pipeline_of(submission, catalog)), 1.0)
    assert (spec.pipeline, spec.lane, spec.offline) == ("auto", "compute", True)


def test_an_id_alone_starts_on_the_network_lane(catalog: Catalog) -> None:
    submission = Submission(source="clinicaltrials", key="NCT1")
    spec = job_spec(submission, catalog.topology(pipeline_of(submission, catalog)), 1.0)
    assert (spec.lane, spec.offline, spec.doc_id) == ("network", False, "clinicaltrials:NCT1")


def test_a_query_goes_to_the_pipeline_that_expands(catalog: Catalog) -> None:
    assert pipeline_of(Submission(source="pmc", query="sepsis"), catalog) == "expand"


def test_a_pdf_goes_to_the_pipeline_with_the_gate(catalog: Catalog) -> None:
    content = {"sha256": SHA, "media_type": "application/pdf"}
    submission = Submission.model_validate({"source": "file", "key": "a.pdf", "content": content})
    assert pipeline_of(submission, catalog) == "pdf-two-phase"


class AwayLedger:
    """A ledger that does not answer."""

    def register(self, *_: object) -> None:
        raise PeerUnreachable(path="ledger.sock", op="register", seconds=1, detail="gone")


class Letters:
    """What would be sent."""

    def __init__(self) -> None:
        self.sent: list[bytes | None] = []

    def send(self, topic: str, value: bytes | None, **_: object) -> None:
        self.sent.append(value)

    def flush(self) -> None:
        pass


def test_a_request_is_not_set_aside_because_the_ledger_is_away(catalog: Catalog) -> None:
    letters = Letters()
    signer = Signer(bytes(32), "requests")
    intake = Intake(None, letters, AwayLedger(), catalog, Topics(), signer)  # type: ignore[arg-type]
    with pytest.raises(PeerUnreachable):
        intake.accept([Record("requests", 0, 0, 1, None, b'{"source": "pmc", "key": "PMC1"}')])
    assert letters.sent == []


class KnowingLedger:
    """A ledger that has some jobs, and takes what is submitted."""

    def __init__(self, jobs: dict[str, object]) -> None:
        self.jobs, self.submitted = jobs, list[str]()

    def register(self, *_: object) -> None:
        pass

    def get(self, job_id: str) -> object:
        return self.jobs.get(job_id)

    def submit(self, jobs: list[JobSpec], id: str) -> None:
        self.submitted += [job.job_id for job in jobs]


def test_a_job_of_an_earlier_version_is_not_made_again_and_hides_no_other(catalog: Catalog) -> None:
    """Earlier ids of files by their address went by the name alone."""
    places = [{"source": "file", "key": "a.xml", "content": {"uri": f"file:///{each}/a.xml"}} for each in "xy"]
    first, second = (Submission.model_validate(each) for each in places)
    pipeline = pipeline_of(first, catalog)
    earlier = str(first.earlier_job_id(pipeline))
    ledger = KnowingLedger({earlier: answers.job(job_id=earlier, submission=places[0])})
    intake = Intake(None, Letters(), ledger, catalog, Topics(), Signer(bytes(32), "requests"))  # type: ignore[arg-type]
    intake.accept([Record("requests", 0, n, 1, None, json.dumps(each).encode()) for n, each in enumerate(places)])
    assert ledger.submitted == [second.job_id(pipeline)]
    assert first.job_ids([pipeline]) == {earlier, first.job_id(pipeline)}
