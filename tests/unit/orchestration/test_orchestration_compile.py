"""Topologies as Dagster jobs, and Dagster's engine over them with nothing stored."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import Definitions, JobDefinition

from medkg_lab.orchestration.compile import compile_topology
from medkg_lab.orchestration.drive import Driver
from medkg_lab.orchestration.errors import RunElsewhere, StepUnknown
from medkg_lab.orchestration.runs import TAG_PIPELINE
from medkg_lab.topology import bundled
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology

AFTER_TEXT = ["chunk", "embed", "index", "extract", "kg"]


def bundled_pipeline(name: str) -> Topology:
    return load_topology(bundled.folder() / "pipelines" / f"{name}.yaml")


def steps(job: JobDefinition) -> list[str]:
    return [node.name for node in job.graph.nodes_in_topological_order]


def test_a_pipeline_without_a_gate_is_one_job() -> None:
    jobs = compile_topology(bundled_pipeline("auto"))
    assert list(jobs) == ["auto"]
    assert steps(jobs["auto"]) == ["ingest", "parse", *AFTER_TEXT]
    names = {node.definition.name for node in jobs["auto"].graph.nodes}
    assert "auto__chunk" in names
    assert jobs["auto"].tags[TAG_PIPELINE] == "auto"


def test_a_gate_ends_its_half_as_a_step() -> None:
    jobs = compile_topology(bundled_pipeline("pdf-two-phase"))
    assert {name: steps(job) for name, job in jobs.items()} == {
        "pdf_two_phase": ["ingest", "download_pdf", "pdf_gate"],
        "pdf_two_phase__post": AFTER_TEXT,
    }


def test_all_bundled_pipelines_fit_into_one_repository() -> None:
    files = sorted((bundled.folder() / "pipelines").glob("*.yaml"))
    jobs = [job for path in files for job in compile_topology(load_topology(path)).values()]
    assert {job.name for job in jobs} == {"auto", "expand", "pdf_two_phase", "pdf_two_phase__post"}
    Definitions.validate_loadable(Definitions(jobs=jobs))


def test_a_stage_called_like_the_second_half_does_not_meet_it() -> None:
    stages = [
        {"name": "ingest", "type": "IngestStage"},
        {"name": "post", "type": "ParseStage", "depends_on": ["ingest"]},
        {
            "name": "gate",
            "type": "Gate",
            "depends_on": ["post"],
            "condition": {"ledger_field": "pdf_ir_ready", "equals": True},
        },
        {"name": "chunk", "type": "ChunkStage", "depends_on": ["gate"]},
    ]
    topology = Topology.model_validate({"version": "1.0", "name": "odd", "stages": stages})
    jobs = compile_topology(topology)
    assert set(jobs) == {"odd", "odd__post"}
    Definitions.validate_loadable(Definitions(jobs=list(jobs.values())))


def test_a_step_does_not_run_where_none_may() -> None:
    job = compile_topology(bundled_pipeline("expand"))["expand"]
    result = job.execute_in_process(raise_on_error=False)
    assert not result.success
    failure = result.failure_data_for_node("ingest")
    assert failure is not None
    assert RunElsewhere.__name__ in str(failure.error)


@pytest.fixture(scope="module")
def driver() -> Driver:
    return Driver()


def test_the_engine_runs_the_stages_it_is_given_in_order(driver: Driver) -> None:
    job = driver.compile(bundled_pipeline("auto"))["auto"]
    seen: list[str] = []
    events = driver.drive(job, "batch-1", ["kg", "embed", "index", "extract"], seen.append)
    assert seen == ["embed", "index", "extract", "kg"]
    assert [event.event_type_value for event in events] == [
        "PIPELINE_START",
        *["STEP_START", "STEP_SUCCESS"] * 4,
        "PIPELINE_SUCCESS",
    ]


def test_what_a_step_raises_ends_the_run_and_comes_out(driver: Driver) -> None:
    job = driver.compile(bundled_pipeline("auto"))["auto"]
    seen: list[str] = []

    def step(name: str) -> None:
        seen.append(name)
        if name == "parse":
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        driver.drive(job, "batch-2", ["ingest", "parse", "chunk"], step)
    assert seen == ["ingest", "parse"]
    assert driver.drive(job, "batch-3", ["ingest"], seen.append)


def test_no_stages_are_no_run_and_unknown_ones_are_refused(driver: Driver) -> None:
    job = driver.compile(bundled_pipeline("auto"))["auto"]
    assert driver.drive(job, "batch-4", [], lambda name: None) == []
    with pytest.raises(StepUnknown, match="download"):
        driver.drive(job, "batch-5", ["download"], lambda name: None)


def test_a_run_leaves_the_logging_of_the_process_alone(driver: Driver) -> None:
    job = driver.compile(bundled_pipeline("auto"))["auto"]
    logger, handler = logging.getLogger("medkg_lab.some"), logging.NullHandler()
    logger.addHandler(handler)
    before = (list(logging.getLogger().handlers), logging.getLogger().level)
    driver.drive(job, "batch-6", ["ingest"], lambda name: None)
    assert logger.handlers == [handler]
    assert not logger.disabled
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before
    logger.removeHandler(handler)


_WATCHED = """
import sys
from pathlib import Path
opened = []
def hook(event, args):
    if event == "open" and isinstance(args[1], str) and any(mode in args[1] for mode in "wax+"):
        opened.append(str(args[0]))
    if event in ("os.mkdir", "os.rename", "sqlite3.connect"):
        opened.append(f"{event} {args[0]}")
from medkg_lab.orchestration.drive import Driver
from medkg_lab.orchestration.runs import TAG_PIPELINE
from medkg_lab.topology import bundled
from medkg_lab.topology.loader import load_topology
topology = load_topology(bundled.folder() / "pipelines" / "auto.yaml")
sys.addaudithook(hook)
driver = Driver()
driver.drive(driver.compile(topology)["auto"], "batch", ["ingest", "parse"], lambda name: None)
print([name for name in opened if "mode=memory" not in name])
"""


def test_a_run_of_the_engine_touches_no_file(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-c", _WATCHED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []
