"""Which runs the ledger's events tell of, and which artifacts go in and come out."""

from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from medkg_lab.ledger.state import FINISHED
from medkg_lab.lineage.derive import Granularity
from medkg_lab.lineage.notes import JobNote
from medkg_lab.lineage.runs import Dataset, RunReport, Transition
from tests.unit.ledger.test_ledger_walks import Walk
from tests.unit.ledger.worlds import DOCUMENT, EVIDENCE, World, done, failed, ids, ref, started
from tests.unit.lineage.lineages import told, transitions

ENDS = {Transition.COMPLETE, Transition.FAIL, Transition.ABORT}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    one = Walk(tmp_path_factory.mktemp("walk"), 11)
    one.go(250)
    return one


def recalled(walk: Walk) -> list[JobNote]:
    jobs = {event_job for event in walk.world.log() for event_job in event.jobs}
    specs = [walk.world.job(job_id).spec for job_id in jobs]
    return [JobNote(one.job_id, one.doc_id, one.tenant_id, one.pipeline, one.pipeline_version, 0) for one in specs]


def by_run(found: list[RunReport]) -> dict[UUID, list[RunReport]]:
    runs: dict[UUID, list[RunReport]] = {}
    for one in found:
        runs.setdefault(one.run.id, []).append(one)
    return runs


@pytest.mark.parametrize("granularity", list(Granularity))
def test_on_a_long_walk_every_run_starts_once_and_ends_once(walk: Walk, granularity: Granularity) -> None:
    result = told(walk.world.log(), granularity, recalled(walk))
    unfinished = {job.id for job in walk.world.core.state.jobs.values() if job.state not in FINISHED}
    assert {job_id for job_id, note in result.notes.jobs.items() if note is not None} == unfinished
    open_runs = set()
    for run, tellings in by_run(result.told).items():
        assert [one.transition for one in tellings].index(Transition.START) == 0
        assert Counter(one.transition for one in tellings)[Transition.START] == 1
        ends = [one.transition for one in tellings if one.transition in ENDS]
        assert len(ends) <= 1
        assert not ends or tellings[-1].transition in ENDS
        if not ends:
            open_runs.add(run)
    notes = [note for note in result.notes.jobs.values() if note is not None]
    if granularity is Granularity.DOCUMENT:
        still = {note.label().id for note in notes if note.started}
        still |= {note.of_stage(note.stage).id for note in notes if note.stage}
        still |= {note.of_stage(note.gate).id for note in notes if note.gate}
        assert open_runs == still
    else:
        open_batches = {note.label().id for note in result.notes.batches.values() if note is not None}
        still = open_batches | {note.of_stage(note.gate).id for note in notes if note.gate}
        assert open_runs == still
        assert result.notes.batches.keys() >= set(walk.world.core.state.batches)


def test_a_document_s_stages_hand_on_artifacts_within_the_run_of_its_job(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit("a")
    batch = world.claim()
    world.run(batch)
    world.record(batch, done(ids(batch)))
    found = told(world.log()).told
    assert transitions(found, "plain") == [Transition.START, Transition.COMPLETE]
    for stage in ("ingest", "parse", "chunk"):
        assert transitions(found, f"plain.{stage}") == [Transition.START, Transition.COMPLETE]
    ended = {one.run.job: one for one in found if one.transition is Transition.COMPLETE}
    assert ended["plain.ingest"].inputs == ()
    assert ended["plain.ingest"].outputs == (Dataset("payload", ref("ingest", "a"), 1),)
    assert ended["plain.parse"].inputs == (Dataset("payload", ref("ingest", "a")),)
    assert ended["plain.chunk"].inputs == (Dataset("document", ref("parse", "a")),)
    assert {one.parent for one in found if one.run.job != "plain"} == {ended["plain"].run}
    assert ended["plain.chunk"].tags["document"] == "file:a"


def test_what_a_pdf_became_comes_out_of_its_gate(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.to_gate("a", "b", "c")
    world.do("set_field", job_id="a", field="pdf_ir_ready", value=True, by="pdf", evidence=EVIDENCE)
    world.do("gate_reject", job_id="b", by="someone", why="unreadable")
    world.do("gate_fail", job_id="c", by="pdf", kind="bad_input", reason="no text")
    found = told(world.log()).told
    gates = {one.tags["job"]: one for one in found if one.run.job == "gated.gate" and one.transition in ENDS}
    assert gates["a"].inputs == (Dataset("payload", ref("download", "a")),)
    assert gates["a"].outputs == (Dataset("document", DOCUMENT),)
    assert (gates["b"].transition, gates["c"].transition, gates["c"].error) == (
        Transition.ABORT,
        Transition.FAIL,
        "no text",
    )
    assert Counter(transitions(found, "gated")) == {Transition.START: 3, Transition.ABORT: 1, Transition.FAIL: 1}


def test_failures_losses_and_what_is_cancelled_end_their_runs(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit("a", "b")
    batch = world.claim()
    world.record(batch, started("ingest", ["a", "b"]))
    world.record(batch, *failed("ingest", "a"))
    world.expire()
    again = world.claim()
    world.record(again, started("ingest", ["b"]))
    world.do("cancel", job_id="b", by="someone", why="not needed")
    found = told(world.log()).told
    assert transitions(found, "plain.ingest") == [
        Transition.START,
        Transition.START,
        Transition.FAIL,
        Transition.ABORT,
        Transition.START,
        Transition.ABORT,
    ]
    assert transitions(found, "plain") == [Transition.START, Transition.START, Transition.FAIL, Transition.ABORT]
    assert next(one.error for one in found if one.transition is Transition.FAIL) == "it is empty"
    assert len({one.run.id for one in found if one.run.job == "plain.ingest"}) == 3


def test_a_retry_is_another_run_that_knows_what_stays_done(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit("a")
    batch = world.claim()
    world.record(batch, started("ingest", ["a"]))
    world.run(batch)
    world.record(batch, done(["a"]))
    world.do("retry", job_id="a", from_stage="chunk", by="someone")
    world.run(world.claim())
    before = JobNote(
        "a", "file:a", "default", "plain", "1", 0, done={"parse": ("document", "kept"), "chunk": ("chunks", "x")}
    )
    found = told(world.log(), recall=[before]).told
    assert len({one.run.id for one in found if one.run.job == "plain"}) == 2
    chunks = [one for one in found if one.run.job == "plain.chunk" and one.transition is Transition.COMPLETE]
    assert [one.inputs for one in chunks] == [
        (Dataset("document", ref("parse", "a")),),
        (Dataset("document", "kept"),),
    ]


def test_a_batch_is_one_run_that_ends_with_its_last_job(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit("a", "b")
    batch = world.claim()
    world.run(batch)
    world.record(batch, done(["a"]))
    world.record(batch, done(["b"]))
    found = told(world.log(), Granularity.BATCH).told
    [run] = by_run(found).values()
    assert [one.transition for one in run] == [Transition.START, *[Transition.RUNNING] * 3, Transition.COMPLETE]
    assert run[2].inputs == (Dataset("payload", ref("ingest", "a")), Dataset("payload", ref("ingest", "b")))
    assert {one.sha256 for one in run[2].outputs} == {ref("parse", "a"), ref("parse", "b")}
