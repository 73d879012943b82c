"""What Prometheus is shown of a lab equals what its tables say, also after the process that counts was killed."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from medkg_lab import launch
from medkg_lab.metrics import names, shipped
from medkg_lab.ports import free_port
from tests.faults.lab.test_faults_kill import write_trials
from tests.labs import TestLab
from tests.prometheus import Prometheus, program, running
from tests.waiting import wait_until

LOAD_S = 600
SCRAPE_S = 1
STAGES = (
    'SELECT pipeline_name, stage, status, count(*), coalesce(sum("count"), 0), count(ms) FROM stage_run'
    " JOIN job USING (job_id) GROUP BY ALL"
)
ENDED = (
    "SELECT pipeline_name, CASE WHEN unchanged THEN 'unchanged' ELSE state END, count(*) FROM job"
    " WHERE state IN ('completed', 'failed', 'dead', 'cancelled') GROUP BY ALL"
)
GATES = "SELECT count(*) FROM gate WHERE opened_at IS NOT NULL"
BY_NAME = {metric.name: metric for metric in (*names.COUNTED, *names.QUERIED)}
SAMPLES = {sample: metric for metric in BY_NAME.values() for sample in metric.samples}
Values = dict[tuple[str, ...], float]


class Tables:
    """What the tables of a lab say, in the words of the metrics."""

    def __init__(self, lab: TestLab) -> None:
        rows = lab.ok("sql", STAGES)["rows"]
        self.executions: Values = {(pipeline, stage, status): float(n) for pipeline, stage, status, n, _, _ in rows}
        self.items: Values = {}
        self.timed: Values = {}
        for pipeline, stage, status, _, items, timed in rows:
            if status == "completed":
                self.items[pipeline, stage] = self.items.get((pipeline, stage), 0.0) + float(items)
                self.timed[pipeline, stage] = self.timed.get((pipeline, stage), 0.0) + float(timed)
        self.ended: Values = {(pipeline, outcome): float(n) for pipeline, outcome, n in lab.ok("sql", ENDED)["rows"]}
        self.jobs: Values = {
            (state,): float(n) for state, n in lab.ok("sql", "SELECT state, count(*) FROM job GROUP BY state")["rows"]
        }
        self.opened = float(lab.ok("sql", GATES)["rows"][0][0])


@contextlib.contextmanager
def with_settings(lab: TestLab, text: str) -> Iterator[None]:
    path = lab.home / "config" / "settings.yaml"
    before = path.read_text() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_text(before)


@contextlib.contextmanager
def shown(lab: TestLab) -> Iterator["subprocess.Popen[bytes]"]:
    """The process that counts, beside a lab that has none."""
    command = launch.python("medkg_lab.metrics", "--home", str(lab.home))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=lab.environment)
    try:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def scraped(lab: TestLab) -> dict[str, Values]:
    """The samples by name once everything in the log is counted."""
    where = lab.ok("metrics", "where")
    token = {"Authorization": f"Bearer {Path(where['token_file']).read_text()}"}

    def current() -> dict[str, Values] | None:
        found: dict[str, Values] = {}
        for family in text_string_to_metric_families(httpx.get(where["url"], headers=token, timeout=30).text):
            for one in family.samples:
                labels = (*SAMPLES[one.name].labels, "le")
                found.setdefault(one.name, {})[tuple(one.labels[at] for at in labels if at in one.labels)] = one.value
        return found if found["medkg_lab_view_lag_events"].get(("metrics",)) == 0 else None

    return wait_until(current, 60, "everything is counted")


def agree(found: dict[str, Values], tables: Tables) -> None:
    assert found["medkg_lab_stage_executions_total"] == tables.executions
    assert {labels: value for labels, value in found["medkg_lab_stage_items_total"].items() if value} == {
        labels: value for labels, value in tables.items.items() if value
    }
    assert found["medkg_lab_stage_duration_seconds_count"] == tables.timed
    assert found["medkg_lab_jobs"] == tables.jobs


@pytest.mark.timeout(300)
def test_the_counts_equal_the_tables_and_outlast_kill_9(demo: tuple[TestLab, dict[str, Any]]) -> None:
    lab, _ = demo
    with with_settings(lab, f"ports: {{metrics: {free_port()}}}\n"):
        with shown(lab) as process:
            first = scraped(lab)
            process.send_signal(signal.SIGKILL)
        with shown(lab):
            again = scraped(lab)
            agree(again, Tables(lab))
    counted = [
        name for name in first if name.endswith(("_total", "_bucket", "_count", "_sum")) and "process" not in name
    ]
    assert {name: first[name] for name in counted} == {name: again[name] for name in counted}
    assert sum(again["medkg_lab_gate_wait_seconds_count"].values()) >= 6
    assert again["medkg_lab_source_up"] == {
        (source,): 1.0 for source in ("supervisor", "ledger", "circuits", "gpu", "disk", "queue")
    }


@pytest.fixture
def loaded() -> Iterator[TestLab]:
    """A lab with metrics, which somebody is going to load."""
    program("prometheus")
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    lab = TestLab(folder / "home", folder / "cache")
    config = lab.home / "config"
    config.mkdir(parents=True)
    (config / "settings.yaml").write_text(f"metrics: {{enabled: true}}\nports: {{metrics: {free_port()}}}\n")
    try:
        lab.ok("up")
        yield lab
    finally:
        lab.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def work(lab: TestLab, folder: Path, seconds: float) -> int:
    """Submit documents for so long, ending the process that counts by force now and then; how often it was ended."""
    until, wave, kills = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        write_trials(folder / str(wave), wave * 40)
        lab.ok("submit", str(folder / str(wave)))
        wave += 1
        if wave % 10 == 5 and (pid := lab.pids().get("metrics")):
            os.kill(pid, signal.SIGKILL)
            kills += 1
        wait_until(lambda: lab.ok("status")["jobs"].get("queued", 0) < 400, 120, "room for more")
    wait_until(lambda: lab.ok("status")["jobs"] == {"completed": wave * 40}, 600, "all jobs are done")
    return kills


def prometheus_agrees(prometheus: Prometheus, tables: Tables) -> bool:
    executions = prometheus.values("medkg_lab_stage_executions_total", "pipeline", "stage", "outcome")
    jobs = {key: value for key, value in prometheus.values("medkg_lab_jobs", "state").items() if value}
    timed = prometheus.values("medkg_lab_stage_duration_seconds_count", "pipeline", "stage")
    return executions == tables.executions and jobs == tables.jobs and timed == tables.timed


def queries() -> list[str]:
    """What the dashboard asks, with its variables replaced."""
    panels = json.loads(shipped.dashboard())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [re.sub(r"\$__rate_interval", "1m", one.replace("$lab", ".*")) for one in asked]


@pytest.mark.full
@pytest.mark.timeout(LOAD_S + 900)
def test_a_lab_under_load_is_scraped_and_the_counters_equal_the_tables(loaded: TestLab, tmp_path: Path) -> None:
    config = loaded.run("metrics", "prometheus").out.replace("15s", f"{SCRAPE_S}s")
    with running(tmp_path, config, loaded.run("metrics", "alerts").out) as prometheus:
        kills = work(loaded, tmp_path / "studies", float(os.environ.get("MEDKG_LOAD_SECONDS", LOAD_S)))
        wait_until(lambda: loaded.ok("status")["lag"] == {"outbox": 0, "recorder": 0}, 120, "the views are current")
        tables = Tables(loaded)
        agree(scraped(loaded), tables)
        wait_until(lambda: prometheus_agrees(prometheus, tables), 60, "the last scrape")
        assert kills >= 1
        assert prometheus.values("medkg_lab_process_restarts_total{process='metrics'}") == {(): float(kills)}
        scrapes = sum(prometheus.values("count_over_time(up[1h])").values())
        executions = sum(tables.executions.values())
        print(f"{tables.jobs}, {executions:.0f} stage executions, {scrapes:.0f} scrapes, {kills} kills")
        assert scrapes > 30
        assert all(rule["health"] == "ok" for rule in prometheus.rules())
        assert {rule["name"] for rule in prometheus.rules() if rule["state"] == "firing"} <= {"MedkgLabProcessRestarts"}
        # Each is one that Prometheus understands; those of failures, GPUs and services have nothing to show here.
        assert sum(bool(prometheus.query(query)) for query in queries()) > len(queries()) / 2


@pytest.mark.full
def test_promtool_takes_the_alert_rules(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(shipped.alerts())
    command = [program("promtool"), "check", "rules", str(tmp_path / "alerts.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 rules found" in done.stdout
