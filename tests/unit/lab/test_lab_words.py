"""Sentences about what blocks, and what a person may name."""

from pathlib import Path
from typing import Any

import pytest

from medkg_lab.lab.demo import quantile
from medkg_lab.lab.targets import Remote, UnknownTarget, resolve
from medkg_lab.lab.why import why_job, why_process

READY = {name: {"name": name, "state": "ready", "reason": ""} for name in ("pdf", "dagsterd", "engine-compute")}
BASE: dict[str, Any] = {"job_id": "j", "doc_id": "pmc:1", "lane": "compute", "stage": "embed", "updated_at": 0.0}


def job(**fields: Any) -> dict[str, Any]:
    return BASE | fields


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "completed"}, "completed"),
        ({"state": "failed", "failure_kind": "bad_input", "reason": "no study"}, "bad_input"),
        ({"state": "dead", "reason": "lost three engines."}, "jobs retry j"),
        ({"state": "cancelled", "reason": None}, "no reason was given"),
        ({"state": "running", "worker": "engine-compute", "lease_until": 110.0}, "lease for 10 s more"),
        ({"state": "queued"}, "behind 3 jobs"),
        ({"state": "waiting_gate", "gate": {"gate": "g", "state": "waiting", "waiting_since": 40.0}}, "60 s"),
        (
            {
                "state": "waiting_gate",
                "gate": {"gate": "g", "state": "waiting", "waiting_since": 0, "evidence": {"missing_pages": [3]}},
            },
            "--partial",
        ),
        ({"state": "waiting_gate", "gate": {"gate": "g", "state": "open", "waiting_since": 0}}, "Dagster starts"),
    ],
)
def test_the_sentence_names_the_blocker(fields: dict[str, Any], said: str) -> None:
    assert said in why_job(job(**fields), READY, 3, 100.0)


def test_a_process_that_is_down_is_the_blocker() -> None:
    down = READY | {"engine-compute": {"name": "engine-compute", "state": "given_up", "reason": "no model"}}
    assert "medkg-lab restart engine-compute" in why_job(job(state="queued"), down, 3, 0)
    assert "no model" in why_process(down["engine-compute"])


def test_a_path_wins_over_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "NCT01234567").mkdir()
    assert resolve("NCT01234567", None, False) == Path("NCT01234567")


@pytest.mark.parametrize(
    ("target", "source", "query", "found"),
    [
        ("nct01234567", None, False, Remote("clinicaltrials", "NCT01234567")),
        ("PMC123", None, False, Remote("pmc", "PMC123")),
        ("10.1000/x.y", None, False, Remote("unpaywall", "10.1000/x.y")),
        ("123", "core", False, Remote("core", "123")),
        ("sepsis", "pmc", True, Remote("pmc", query="sepsis")),
        ("sepsis", None, True, Remote("clinicaltrials", query="sepsis")),
    ],
)
def test_ids_and_queries_find_their_source(target: str, source: str | None, query: bool, found: Remote) -> None:
    assert resolve(target, source, query) == found


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(UnknownTarget, match="--source"):
        resolve("no/such/file.json", None, False)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0), (1.0, 4.0)])
def test_quantiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == value


def test_why_a_running_job_waits_names_the_open_circuit() -> None:
    breaker = {"policy": "polite-api", "key": "api.example.org", "until": 130.0, "failures": 5}
    said = why_job(job(state="running", stage="download"), READY, 0, 100.0, breaker)
    assert "polite-api api.example.org is open for 30 s" in said
    assert "5 times in a row" in said
