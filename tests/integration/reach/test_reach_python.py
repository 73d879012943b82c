"""The Python API against a real lab, and the notebook that shows it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import medkg_lab
from medkg_lab import Lab
from medkg_lab.errors import LabNotRunning
from medkg_lab.ledger.errors import QueryRefused
from medkg_lab.sdk import records, tables
from tests.integration.reach.conftest import EXAMPLES

pytestmark = pytest.mark.timeout(400)


def test_importing_the_package_loads_nothing_else() -> None:
    heavy = ("medkg_lab", "pydantic", "numpy")
    code = f"import sys, medkg_lab; print(*sorted(one for one in sys.modules if one.startswith({heavy})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["medkg_lab", "medkg_lab.telemetry"]
    assert medkg_lab.Lab is Lab
    with pytest.raises(AttributeError, match="no attribute 'Labor'"):
        _ = medkg_lab.Labor


def test_a_lab_that_does_not_run_says_so(short_tmp: Path) -> None:
    one = Lab(short_tmp)
    assert not one.is_running()
    with pytest.raises(LabNotRunning):
        one.jobs()


def test_jobs_are_records_with_their_stages(lab: Lab) -> None:
    (listed,) = lab.jobs(document="clinicaltrials:NCT90000001")
    job = lab.job("NCT90000001")
    assert (listed.job_id, listed.stages, job.state) == (job.job_id, (), "completed")
    assert [run.stage for run in job.stages][-1] == "kg"
    assert all(run.status == "completed" and (run.ms or 0) > 0 for run in job.stages)
    assert "completed" in lab.why(job.job_id).lower()
    assert {one.failure_kind for one in lab.jobs(state="failed")} == {"bad_input"}


def test_waiting_tells_what_failed_and_what_needs_a_person(lab: Lab) -> None:
    steps: list[dict[str, int]] = []
    outcome = lab.wait([one.job_id for one in lab.jobs()], 60, lambda counts: steps.append(dict(counts)))
    assert steps[-1] == dict(outcome.counts)
    assert len(outcome.failed) == outcome.counts["failed"]
    (waiting,) = outcome.waiting_for_a_person
    assert waiting.gate is not None
    assert waiting.gate.missing_pages
    assert [one.job_id for one in lab.gates_for_a_person()] == [waiting.job_id]
    assert (waiting.gate.state, waiting.gate.equals) == ("waiting", True)


def test_search_leads_to_passages_and_the_graph(lab: Lab) -> None:
    hit = lab.search("apixaban major bleeding dialysis", limit=1).hits[0]
    passage = lab.passage(hit.chunk_id)
    assert (passage.doc_id, passage.title) == (hit.doc_id, hit.title)
    assert all(passage.text[one.start : one.end] == one.text for one in passage.mentions)
    around = lab.neighbours("Apixaban")
    assert around.node.name == "Apixaban"
    assert around.neighbours
    path = lab.path("Metformin", around.neighbours[0].node.node_id, max_hops=6)
    assert path.source.name == "Metformin"
    graph = lab.graph(limit=10)
    assert (len(graph.nodes), graph.truncated) == (10, True)
    assert {one.doc_id for one in lab.documents()} >= {"clinicaltrials:NCT90000001"}


def test_statements_bring_their_evidence(lab: Lab) -> None:
    edge = next(one for one in lab.graph().edges if one.documents)
    found = lab.statements(edge.source, edge.target)
    assert any(one.relation == edge.relation and one.doc_id in edge.documents for one in found)


def test_events_come_in_order_and_can_be_followed(lab: Lab) -> None:
    events = list(lab.events())
    assert [one.seq for one in events] == sorted(one.seq for one in events)
    assert events[-1].seq == lab.head()
    job = lab.jobs(state="completed", limit=1)[0]
    assert all(job.job_id in one.jobs for one in lab.events(job_id=job.job_id))
    followed: Iterator[object] = lab.events(after=events[-2].seq, follow=True)
    assert next(followed) == events[-1]


def test_tables_become_frames(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    table = lab.table("SELECT state, count(*) AS jobs FROM job GROUP BY state ORDER BY state")
    assert table.columns == ("state", "jobs")
    assert sum(row["jobs"] for row in table) == len(lab.jobs(limit=1000))
    assert table.arrow().num_rows == len(table.pandas()) == len(table)
    assert lab.table("SELECT job_id FROM job", limit=1).truncated
    with pytest.raises(QueryRefused):
        lab.table("DELETE FROM job")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(tables.FramesMissing, match=r"install.* .?pandas"):
        table.pandas()


def test_a_gate_is_rejected_with_a_reason(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("Lisinopril lowered blood pressure in twelve adults with heart failure.\n")
    submitted = lab.submit(path)
    outcome = lab.wait(submitted)
    assert dict(outcome.counts) == {"completed": 1}
    assert lab.submit(path).jobs[0].already
    lab.retry(submitted.jobs[0].job_id)
    assert lab.wait(submitted).counts == {"completed": 1}
    assert lab.job(submitted.jobs[0].job_id).execution == 2


def test_health_names_processes_and_what_is_published(lab: Lab) -> None:
    health = lab.health()
    assert health.is_ready
    assert "ledgerd" in {one.name for one in health.processes}
    assert health.published["documents"] >= 10
    assert isinstance(health.processes[0], records.Process)


def test_the_tour_runs(lab: Lab) -> None:
    notebook = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    env = {**os.environ, "MEDKG_LAB_HOME": str(lab.home)}
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}})
    client.execute(env=env)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("apixaban" in str(output).lower() for output in outputs)
