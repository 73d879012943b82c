"""The PDF process with a real ledger, a real broker and a real converter."""

import shutil
import tempfile
from pathlib import Path

import orjson
import pytest

from medkg_lab.broker.client import Consumer
from medkg_lab.broker.topics import PDF_REQUESTS
from medkg_lab.pdf.__main__ import GROUP
from medkg_lab.stages.kinds import KINDS
from tests.integration.pdf.lab import pdf_lab
from tests.pdf_files import PAPER, pdf
from tests.told import logged
from tests.waiting import wait_until

SCAN = [("image", "")]


@pytest.fixture(scope="module")
def running():
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with pdf_lab(folder / "home") as lab:
        yield lab
    shutil.rmtree(folder)


@pytest.fixture
def lab(running):
    """The ledger and the broker, which all tests share; the PDF process of each test ends with it."""
    before = len(running.processes)
    yield running
    for process in running.processes[before:]:
        if process.poll() is None:
            assert running.stop(process) == 0


def test_pdf_opens_its_gate_once(lab):
    job_id = lab.waiting_job(pdf([PAPER, PAPER]))
    lab.request(job_id)
    lab.request(job_id)
    lab.start_pdf()
    job = lab.settled(job_id)
    assert job.gate.state == "open"
    evidence = job.gate.evidence
    assert (evidence.pages, evidence.missing_pages, evidence.tool) == (2, (), "docvortex")
    assert evidence.source == job.content
    document = KINDS["document"].decode(lab.store.get(evidence.document))
    assert document.doc_id == job.doc_id
    assert "Asthma is a chronic disease" in " ".join(block.text for block in document.blocks)
    assert orjson.loads(lab.store.get(evidence.raw))["schema"] == "docvortex.middle"
    assert job.outputs["document"] == evidence.document
    second = lab.waiting_job(pdf([PAPER]), "other.pdf")
    lab.request(second)
    assert lab.settled(second).gate.state == "open"
    set_fields = [event for event in logged(lab.ledger, 0) if event["type"] == "field.set"]
    assert [event["jobs"] for event in set_fields] == [[job_id], [second]]


def test_every_bad_ending_is_told(lab):
    scan = lab.waiting_job(pdf([SCAN]), "scan.pdf")
    part = lab.waiting_job(pdf([PAPER, SCAN]), "part.pdf")
    locked = lab.waiting_job(pdf([PAPER], encrypt="secret"), "locked.pdf")
    cut = lab.waiting_job(b"%PDF-1.4\n1 0 obj", "cut.pdf")
    gone = lab.waiting_job(pdf([PAPER, PAPER, PAPER]), "gone.pdf", is_lost=True)
    lab.start_pdf()
    for job_id in (scan, part, locked, cut, gone):
        lab.request(job_id)
    ended = {
        name: lab.settled(job_id) for name, job_id in (("scan", scan), ("locked", locked), ("cut", cut), ("gone", gone))
    }
    assert {name: (job.state, job.failure_kind) for name, job in ended.items()} == {
        "scan": ("failed", "bad_input"),
        "locked": ("failed", "bad_input"),
        "cut": ("failed", "bad_input"),
        "gone": ("failed", "artifact"),
    }
    assert "OCR" in ended["scan"].reason
    assert "EncryptedPdf" in ended["locked"].reason
    assert "DamagedPdf" in ended["cut"].reason
    waiting = lab.settled(part)
    assert waiting.gate.state == "waiting"
    assert waiting.gate.evidence.missing_pages == (2,)
    assert lab.ledger.gate_open(part, by="me", partial=True).version


def test_a_message_that_disagrees_with_the_ledger_is_set_aside_and_the_job_is_served(lab):
    """What somebody who writes to the topic says of a job changes nothing about the document that the job gets."""
    other = lab.store.put(pdf([[("text", "Chronic obstructive pulmonary disease is another disease.")]]))
    job_id = lab.waiting_job(pdf([PAPER]), "asthma.pdf")
    before = len(lab.dead_letters())
    forged = [
        {"content": other},
        {"doc_id": "file:other.pdf"},
        {"name": "other.pdf"},
        {"tenant_id": "t2"},
        {"pipeline": "other"},
        {"gate": "other"},
        {"content": other, "doc_id": "", "name": "\u202e", "tenant_id": "", "gate": "", "pipeline": ""},
    ]
    for change in forged:
        lab.request(job_id, **change)
    lab.request(job_id, job_id="nobody")
    lab.send(b"not a request", job_id)
    lab.start_pdf()
    job = lab.settled(job_id)
    document = KINDS["document"].decode(lab.store.get(job.gate.evidence.document))
    assert job.gate.evidence.source == job.content
    assert document.doc_id == job.doc_id
    assert "Asthma" in " ".join(block.text for block in document.blocks)
    # The messages that come after the job was served are not compared with anything any more.
    letters = wait_until(lambda: lab.dead_letters()[before:], 20, "the dead letters")
    assert {letter.header("medkg-error") for letter in letters} <= {b"PdfRequestDisagrees", b"NotAPdfRequest"}


def test_a_message_that_disagrees_names_what_it_says_otherwise(lab):
    scan = lab.waiting_job(pdf([PAPER] * 30), "long.pdf")
    job_id = lab.waiting_job(pdf([PAPER]), "next.pdf")
    before = len(lab.dead_letters())
    lab.request(job_id, content="0" * 64, name="x")
    lab.start_pdf()
    (letter,) = wait_until(lambda: lab.dead_letters()[before:], 20, "the dead letter")
    assert b"another content, name than job" in (letter.header("medkg-reason") or b"")
    assert (letter.header("medkg-origin") or b"").startswith(PDF_REQUESTS.encode())
    for each in (scan, job_id):
        assert lab.settled(each).gate.state == "open"


def test_a_job_whose_message_was_lost_or_taken_is_served_all_the_same(lab):
    before = lab.waiting_job(pdf([PAPER]), "before.pdf")
    lab.start_pdf()
    assert lab.settled(before).gate.state == "open"
    later = lab.waiting_job(pdf([PAPER]), "later.pdf")
    assert lab.settled(later).gate.state == "open"


@pytest.mark.full
def test_others_in_the_group_take_nothing_away(lab):
    lab.start_pdf()
    thieves = [Consumer(lab.bootstrap, GROUP, [PDF_REQUESTS]) for _ in range(8)]
    try:
        job_ids = [lab.waiting_job(pdf([PAPER]), f"{number}.pdf") for number in range(3)]
        for job_id in job_ids:
            lab.request(job_id)
        for thief in thieves:
            thief.commit(thief.poll(0.5))
        for job_id in job_ids:
            assert lab.settled(job_id).gate.state == "open"
    finally:
        for thief in thieves:
            thief.close()


def test_stop_in_the_middle_leaves_the_request(lab):
    job_id = lab.waiting_job(pdf([PAPER] * 20), "long.pdf")
    lab.request(job_id)
    process = lab.start_pdf()
    assert lab.stop(process) == 0
    if lab.job(job_id).state == "waiting_gate":
        lab.start_pdf()
    assert lab.settled(job_id).gate.state == "open"


def test_process_ends_soon_though_the_broker_is_gone(short_tmp):
    with pdf_lab(short_tmp / "home") as lab:
        job_id = lab.waiting_job(pdf([PAPER]))
        lab.request(job_id)
        process = lab.start_pdf()
        lab.settled(job_id)
        broker = lab.processes[1]
        broker.kill()
        broker.wait(10)
        assert lab.stop(process) == 0
