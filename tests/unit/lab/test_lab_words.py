"""Sentences about what blocks, and what a person may name."""

from pathlib import Path
from typing import Any

import pytest

from medkg_lab.broker.removals import Removal
from medkg_lab.lab.demo import quantile
from medkg_lab.lab.targets import Remote, UnknownTarget, resolve
from medkg_lab.lab.why import Blockers, needs_person, why_breaker, why_disk, why_job, why_process, why_removed
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.rates import Spent
from tests import answers

READY = {name: answers.process(name) for name in ("pdf", "dagsterd", "engine-compute")}


def job(**fields: Any) -> JobDetail:
    return answers.job(**{"stage": "embed"} | fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "completed"}, "Completed at "),
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
    down = READY | {"engine-compute": answers.process("engine-compute", "given_up", reason="no model")}
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
        ("10.1000/x.y", None, False, Remote("identifier", query="doi:10.1000/x.y")),
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
    breaker = answers.circuit(key="api.example.org", until=130.0)
    said = why_job(job(state="running", stage="download"), READY, 0, 100.0, Blockers(breaker=breaker))
    assert "polite-api api.example.org is open for 30 s" in said
    assert "5 times in a row" in said


def test_why_a_running_job_waits_names_the_rate_that_is_used_up() -> None:
    rate = Spent("polite-api", "api.example.org", rate_per_s=0.2, wait_s=4.0)
    said = why_job(job(state="running", stage="download"), READY, 0, 100.0, Blockers(rate=rate))
    for words in (
        "download",
        "polite-api",
        "0.2 calls a second to api.example.org",
        "next is in 4.0 s",
        "policies.yaml",
    ):
        assert words in said


def test_why_a_running_job_waits_names_who_has_the_gpu() -> None:
    said = why_job(job(state="running"), READY, 0, 100.0, Blockers(gpu="engine-compute-2"))
    assert "embed waits for the GPU: engine-compute-2 has it" in said
    assert "`medkg-lab logs engine-compute-2`" in said


def test_an_engine_that_loads_its_models_is_waited_for() -> None:
    loading = READY | {"engine-compute": answers.process("engine-compute", "starting")}
    said = why_job(job(state="queued"), loading, 3, 0)
    assert "loads its models" in said
    assert "restart" not in said


def test_a_disk_is_low_before_it_is_full() -> None:
    assert why_disk("/data", 5000.0) is None
    assert "only 900 MB left" in str(why_disk("/data", 900.0))
    full = str(why_disk("/data", 12.0))
    assert "is full" in full
    assert "make room" in full


def test_what_was_deleted_from_a_topic_is_named_with_its_remedy() -> None:
    topic = why_removed(Removal(1000.0, "ledger.log.v1", None, 469, "lab"), 1060.0)
    assert topic.startswith(
        "Topic ledger.log.v1 was deleted 60 s ago by account lab, with 469 records, and made again empty."
    )
    records = why_removed(Removal(1000.0, "t", 3, 7, "lab"), 1000.0)
    assert records.startswith("7 records of t-3 were deleted 0 s ago by account lab.")
    assert all("medkg-lab verify" in sentence for sentence in (topic, records))


@pytest.mark.parametrize(
    ("fields", "said"),
    [({}, "waits for reviewed = true, and nobody has set it"), ({"reviewed": False}, "it is false")],
)
def test_a_gate_that_no_process_opens_says_what_a_person_does(fields: dict[str, Any], said: str) -> None:
    gate = {"gate": "review", "condition": {"ledger_field": "reviewed", "equals": True}}
    sentence = why_job(job(state="waiting_gate", gate=gate, fields=fields), READY, 0, 100.0)
    assert said in sentence
    assert "`medkg-lab gate set j reviewed=true`" in sentence
    assert needs_person(answers.gate(**gate))
    assert not needs_person(answers.gate(**gate, state="open"))


def test_a_gate_that_the_pdf_process_opens_needs_a_person_only_for_missing_pages() -> None:
    assert not needs_person(answers.gate())
    assert needs_person(answers.gate(evidence={"missing_pages": [3]}))


def test_a_circuit_whose_time_is_over_is_half_open() -> None:
    breaker = answers.circuit(until=100.0)
    assert "open for 20 s more" in why_breaker(breaker, 80.0)
    assert "half-open: the next call tests it" in why_breaker(breaker, 1400.0)
