"""What is served, to whom; and that what is shipped for Prometheus and Grafana asks for metrics that there are."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from medkg_lab.errors import LabNotRunning
from medkg_lab.gpu.nvml import Gauge
from medkg_lab.locations import locate
from medkg_lab.metrics import gauges, names, shipped
from medkg_lab.metrics.app import make_app
from medkg_lab.metrics.collector import LabCollector
from medkg_lab.metrics.counting import SUM, Series
from medkg_lab.metrics.gauges import Sample
from medkg_lab.settings import MetricsSettings, PortSettings, Settings
from tests.static.test_static_readme import complaint

TOKEN = "t0ken-of-the-lab"
ADDED = {"lab", "job", "instance", "le", "on"}
"""What Prometheus itself and its configuration add, and words of its language that stand before parentheses."""
BY_NAME = {metric.name: metric for metric in (*names.COUNTED, *names.QUERIED)}
SAMPLES = {sample: metric for metric in BY_NAME.values() for sample in metric.samples}


class Served:
    """An application over fixed numbers."""

    def __init__(self, folder: Path) -> None:
        self.token_file = folder / "metrics.token"
        self.token_file.write_text(TOKEN)
        self.totals = {
            Series(names.EVENTS.name, ("job.submitted",)): 3,
            Series(names.STAGE_DURATION.name, ("auto", "parse"), "0"): 2,
            Series(names.STAGE_DURATION.name, ("auto", "parse"), "3"): 1,
            Series(names.STAGE_DURATION.name, ("auto", "parse"), SUM): 9_500,
        }
        self.samples = [Sample(names.JOBS, 4, ("queued",)), Sample(names.RESTARTS, 1, ("pdf",))]
        self.problems: list[str] = []
        self.alive = True
        collector = LabCollector(lambda: self.totals, lambda: self.samples)
        app = make_app(collector, self.token_file, lambda: self.alive, lambda: self.problems)
        self.client = TestClient(app, base_url="http://127.0.0.1:1")

    def get(self, path: str, token: str | None = TOKEN, **headers: str) -> Any:
        bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.get(path, headers=bearer | headers)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def test_the_numbers_are_shown_as_prometheus_reads_them(served: Served) -> None:
    answer = served.get("/metrics")
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    samples = [sample for family in families.values() for sample in family.samples]
    told = {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}
    assert told["medkg_lab_events_total", "job.submitted"] == 3
    assert told["medkg_lab_stage_duration_seconds_bucket", "0.001", "auto", "parse"] == 2
    assert told["medkg_lab_stage_duration_seconds_bucket", "0.005", "auto", "parse"] == 2
    assert told["medkg_lab_stage_duration_seconds_bucket", "0.01", "auto", "parse"] == 3
    assert told["medkg_lab_stage_duration_seconds_bucket", "+Inf", "auto", "parse"] == 3
    assert told["medkg_lab_stage_duration_seconds_count", "auto", "parse"] == 3
    assert told["medkg_lab_stage_duration_seconds_sum", "auto", "parse"] == 0.0095
    assert told["medkg_lab_jobs", "queued"] == 4
    assert told["medkg_lab_process_restarts_total", "pdf"] == 1
    assert {name.removesuffix("_total") for name in BY_NAME} == families.keys()
    open_metrics = served.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert open_metrics.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nothing"])
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], f"{TOKEN}x", "é"])
def test_nobody_is_told_anything_without_the_token(served: Served, path: str, token: str | None) -> None:
    header = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    answer = served.client.get(path, headers=header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "medkg_lab_" not in answer.text


def test_two_tokens_a_foreign_host_and_a_replaced_token_are_refused(served: Served) -> None:
    twice = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"authorization", b"Bearer other")]
    assert served.client.get("/metrics", headers=twice).status_code == 401
    assert served.get("/metrics", Host="attacker.example").status_code == 400
    assert served.client.post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 405
    served.token_file.write_text("another")
    assert served.get("/metrics").status_code == 401
    served.token_file.unlink()
    assert served.get("/metrics").status_code == served.get("/metrics", "").status_code == 401


def test_health_is_told_with_what_is_wrong(served: Served) -> None:
    assert served.get("/healthz").json() == served.get("/readyz").json() == {"status": "ok", "problems": []}
    served.alive, served.problems = False, ["pdf: exited"]
    assert served.get("/healthz").status_code == 503
    ready = served.get("/readyz")
    assert (ready.status_code, ready.json()["problems"]) == (503, ["pdf: exited"])


def test_a_source_that_cannot_be_asked_says_so_and_the_others_go_on() -> None:
    def fails() -> list[Sample]:
        raise LabNotRunning(home="/lab")

    assert gauges.query_source("ledger", fails) == [Sample(names.SOURCE_UP, 0, ("ledger",))]
    found = gauges.query_source("disk", lambda: [Sample(names.DISK_FREE, 1)])
    assert found == [Sample(names.DISK_FREE, 1), Sample(names.SOURCE_UP, 1, ("disk",))]


def test_a_gpu_shows_what_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Gauge(0, "Some GPU", 1024, 4096, 0.5, None, 70.5)
    monkeypatch.setattr("medkg_lab.gpu.nvml.gauges", lambda: (card,))
    found = {one.metric: one.value for one in gauges.gpus()}
    assert found == {
        names.GPU_USED: 2**30,
        names.GPU_TOTAL: 2**32,
        names.GPU_LOAD: 0.5,
        names.GPU_POWER: 70.5,
    }


def test_names_are_good_and_no_label_names_a_document_or_a_person() -> None:
    assert len(BY_NAME) == len(names.COUNTED) + len(names.QUERIED)
    for metric in BY_NAME.values():
        assert re.fullmatch(r"medkg_lab_[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert bool(metric.bounds) == (metric.kind == "histogram")
        assert list(metric.bounds) == sorted(set(metric.bounds))
    labels = {label for metric in BY_NAME.values() for label in metric.labels}
    assert not labels & {
        "job",
        "job_id",
        "document",
        "doc_id",
        "tenant",
        "tenant_id",
        "correlation_id",
        "user",
        "by_whom",
    }


def expressions() -> list[str]:
    rules = [rule for group in yaml.safe_load(shipped.alerts())["groups"] for rule in group["rules"]]
    panels = json.loads(shipped.dashboard())["panels"]
    targets = [target for panel in panels for target in panel.get("targets", ())]
    return [rule["expr"] for rule in rules] + [target["expr"] for target in targets]


@pytest.mark.parametrize("expression", expressions())
def test_what_is_shipped_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    asked = re.findall(r"(medkg_lab_\w+)(?:\{([^}]*)\})?", expression)
    assert asked
    known: set[str] = set(ADDED)
    for name, selectors in asked:
        assert name in SAMPLES
        chosen = set(re.findall(r"(\w+)(?==|!=|=~|!~)", re.sub(r'"[^"]*"', "", selectors)))
        assert chosen <= {*SAMPLES[name].labels, *ADDED}
        known |= set(SAMPLES[name].labels)
    grouped = {one.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for one in group.split(",")}
    assert grouped <= known


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    asked = {SAMPLES[name].name for one in expressions() for name in re.findall(r"medkg_lab_\w+", one)}
    own = {names.HEAD.name, names.GATES.name, names.JOBS_SUBMITTED.name, names.JOBS_REQUEUED.name}
    untold = {names.RATE_LIMIT.name, names.GPU_HEAT.name, names.GPU_POWER.name}
    assert BY_NAME.keys() - asked <= own | untold


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    board = json.loads(shipped.dashboard())
    ids = Counter(panel["id"] for panel in board["panels"])
    assert max(ids.values()) == 1
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "lab"}


def test_the_configuration_of_prometheus_names_port_and_token(tmp_path: Path) -> None:
    locations = locate(tmp_path / "lab")
    locations.create()
    settings = Settings(ports=PortSettings(metrics=9999), metrics=MetricsSettings(enabled=True))
    [scrape] = yaml.safe_load(shipped.scrape_config(locations, settings))["scrape_configs"]
    assert scrape["static_configs"][0]["targets"] == ["127.0.0.1:9999"]
    token = Path(scrape["authorization"]["credentials_file"])
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text()) > 30


def test_the_commands_that_alerts_name_exist(capsys: pytest.CaptureFixture[str]) -> None:
    rules = [rule for group in yaml.safe_load(shipped.alerts())["groups"] for rule in group["rules"]]
    named = [text for rule in rules for text in re.findall(r"`medkg-lab ([^`]+)`", rule["annotations"]["description"])]
    assert len(named) > 6
    for text in named:
        assert complaint(text.replace("{{ $labels.process }}", "pdf").split(), capsys) == "", text
