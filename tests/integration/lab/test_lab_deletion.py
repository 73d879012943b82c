"""A document is deleted, and old things go, in a lab that runs: what is left is whole, and nothing of the document is found.

kill -9 meanwhile, of the command or of a process: nothing that is needed goes, and the next try finishes it.
"""

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from medkg_lab.broker.topics import lab_topics
from medkg_lab.lab import removed
from medkg_lab.lab.facade import Lab
from tests.brokers import librdkafka
from tests.faults.lab.test_faults_kill import kill
from tests.labs import TestLab
from tests.waiting import wait_until

ROUNDS = 30
VICTIMS = ("", "ledgerd", "", "knowledge", "", "engine-compute")
"""Whom each round kills: the command itself where there is no name."""
FIRST = 10
"""The first document of the rounds, each of which deletes one."""


def study(number: int) -> dict[str, Any]:
    """A small study with words that no other has."""
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT{99000000 + number}",
                "briefTitle": f"Substance{number}ase in asthma",
            },
            "descriptionModule": {"briefSummary": f"Marker{number}word was compared with placebo in asthma. " * 8},
            "conditionsModule": {"conditions": ["Asthma"]},
        }
    }


@pytest.fixture(scope="module")
def lab(pytestconfig: pytest.Config) -> Iterator[TestLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    (made.home / "config").mkdir(parents=True)
    keeps = "retention: {superseded_days: 0, events: 20, disk_mib: 1000, topic_days: 3}\n"
    (made.home / "config" / "settings.yaml").write_text(f"profile: cpu\n{keeps}")
    (folder / "in").mkdir()
    rounds = ROUNDS if pytestconfig.getoption("--full") else 0
    for number in (*range(5), *range(FIRST, FIRST + rounds)):
        (folder / "in" / f"{number}.json").write_text(json.dumps(study(number)))
    try:
        made.ok("up")
        made.ok("submit", str(folder / "in"), "--wait")
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def holding(lab: TestLab, text: bytes, *folders: str) -> list[str]:
    """The files of the lab's data below these folders that have this text in them."""
    files = [path for folder in folders for path in (lab.home / "data" / folder).rglob("*") if path.is_file()]
    return [str(path) for path in files if text in path.read_bytes()]


def is_found(lab: TestLab, number: int) -> bool:
    """Whether a search for the document's own word finds it."""
    hits = lab.ok("search", f"marker{number}word")["hits"]
    return f"clinicaltrials:NCT{99000000 + number}" in {hit["doc_id"] for hit in hits}


def is_whole(lab: TestLab, number: int) -> bool:
    shown = lab.ok("document", "show", f"NCT{99000000 + number}")
    return f"Marker{number}word" in shown["files"]["document.md"]


@pytest.mark.timeout(300)
def test_a_deleted_document_is_nowhere(lab: TestLab) -> None:
    assert is_found(lab, 2)
    assert holding(lab, b"Marker2word", "artifacts")
    gone = lab.ok("documents", "delete", "https://clinicaltrials.gov/study/NCT99000002", "--why", "asked for")
    assert (gone["doc_id"], gone["jobs"]) == ("clinicaltrials:NCT99000002", 1)
    assert gone["artifacts"] > 3
    assert not is_found(lab, 2)
    assert holding(lab, b"Marker2word", "artifacts", "broker") == []
    assert "Substance2ase" not in json.dumps(lab.ok("graph", "export"))
    assert lab.ok(
        "sql", "SELECT count(*) FROM artifact a JOIN job j USING (job_id) WHERE j.doc_id LIKE '%:NCT99000002'"
    )["rows"] == [[0]]
    assert any("ingest.requests.v1" in one for one in gone["remains"])
    assert "DocumentGone" in lab.run("document", "show", "NCT99000002", "--json").out
    [entry] = lab.ok("audit", "--action", "document.deleted")
    assert (entry["subject"], entry["after"], entry["why"]) == (
        "document clinicaltrials:NCT99000002",
        "deleted",
        "asked for",
    )
    again = lab.ok("documents", "delete", "NCT99000002")
    assert (again["artifacts"], again["jobs"]) == (0, 1)
    assert lab.ok("verify")["differences"] == []
    for number in {0, 1, 3, 4}:
        assert is_whole(lab, number)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_only_on_purpose_it_comes_back(lab: TestLab) -> None:
    where = str(lab.home.parent / "in" / "3.json")
    lab.ok("documents", "delete", "nct 99000003")
    [known] = lab.ok("submit", where)["jobs"]
    assert "was deleted" in known["note"]
    assert not is_found(lab, 3)
    lab.ok("submit", where, "--again", "--wait")
    assert is_found(lab, 3)
    assert is_whole(lab, 3)
    assert lab.ok("verify")["differences"] == []


@pytest.mark.timeout(300)
def test_what_is_old_goes_and_what_is_needed_stays(lab: TestLab) -> None:
    lab.ok("submit", str(lab.home.parent / "in" / "4.json"), "--again", "--wait")
    wait_until(lambda: lab.ok("status")["lag"] == {"outbox": 0, "recorder": 0}, 60, "the views have caught up")
    before = lab.ok("sql", "SELECT count(*) FROM job")["rows"]
    done = lab.ok("retention", "run")
    assert done["put_off"] == ""
    assert done["events"] > 20
    assert done["artifacts"] > 3
    assert lab.ok("verify")["differences"] == []
    assert lab.ok("sql", "SELECT count(*) FROM job")["rows"] == before
    for number in {0, 1, 3, 4}:
        assert is_whole(lab, number)
    shown = lab.ok("retention", "show")
    assert shown["parts"]["artifacts"] > 0
    assert shown["last"]["at"] >= done["at"]
    assert "of the 1000 MiB that it may" in lab.ok("status")["disk"]["says"]
    lab.ok("restart", "ledgerd")
    assert lab.ok("sql", "SELECT count(*) FROM job")["rows"] == before
    assert lab.ok("verify")["differences"] == []


def days_kept(lab: TestLab) -> dict[str, float]:
    """The days that each topic of the lab's broker keeps its records."""
    address = Lab.at(lab.home).bootstrap
    asked = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in lab_topics()]
    admin = AdminClient(librdkafka(address))
    found = admin.describe_configs(asked)
    return {one.name: int(answer.result(20)["retention.ms"].value) / 86_400_000 for one, answer in found.items()}


@pytest.mark.timeout(300)
def test_topics_keep_their_records_as_the_settings_say_and_verify_knows(lab: TestLab) -> None:
    queues = {"ingest.requests.v1": 14, "pdf.requests.v1": 14, "ledger.log.v1": 60}
    assert days_kept(lab) == {**queues, "ingest.deadletter.v1": 3, "orchestration.events.v1": 3}
    assert removed.chosen_at(Lab.at(lab.home)) == 0
    settings = lab.home / "config" / "settings.yaml"
    settings.write_text(settings.read_text().replace("topic_days: 3", "topic_days: 30, topic_mib: 8"))
    assert removed.chosen_at(Lab.at(lab.home)) == float("inf")
    before = time.time()
    lab.ok("restart", "bridge")
    shown = lab.ok("retention", "show")["topics"]
    assert {name: int(kept["retention.ms"]) / 86_400_000 for name, kept in shown.items()} == days_kept(lab)
    assert days_kept(lab) == dict.fromkeys((*queues, "ingest.deadletter.v1", "orchestration.events.v1"), 30) | {
        "ledger.log.v1": 60
    }
    since = wait_until(lambda: removed.chosen_at(Lab.at(lab.home)), 30, "the change is noted")
    assert before < since < time.time()
    assert lab.ok("verify")["differences"] == []


def killed_amid(lab: TestLab, victim: str, after_s: float, *command: str) -> None:
    """Run a command, and kill it, or a process of the lab, so many seconds after it began."""
    process = lab.popen(*command)
    until = time.monotonic() + after_s
    wait_until(lambda: time.monotonic() >= until or process.poll() is not None, 60, "the moment has come")
    if victim:
        kill(lab, victim)
    else:
        process.send_signal(signal.SIGKILL)
    process.communicate()


def length(lab: TestLab, *command: str) -> float:
    """The seconds that a command takes."""
    began = time.monotonic()
    lab.ok(*command)
    return time.monotonic() - began


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_killed_deletion_is_finished_by_the_next_one(lab: TestLab) -> None:
    whole = length(lab, "documents", "delete", "NCT99000002")
    for turn in range(ROUNDS):
        number, victim = FIRST + turn, VICTIMS[turn % len(VICTIMS)]
        name = f"NCT{99000000 + number}"
        killed_amid(lab, victim, whole * (turn + 1) / (ROUNDS + 1), "documents", "delete", name)
        assert lab.ok("verify")["differences"] == [], f"round {turn}, {victim or 'the command'} killed"
        lab.ok("documents", "delete", name)
        assert not is_found(lab, number)
        assert holding(lab, f"Marker{number}word".encode(), "artifacts") == []
        assert is_whole(lab, 0)
    assert lab.ok("verify")["differences"] == []


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_killed_removals_lose_nothing(lab: TestLab) -> None:
    where = str(lab.home.parent / "in" / "1.json")
    lab.ok("submit", where, "--again", "--wait")
    whole = length(lab, "retention", "run")
    for turn in range(ROUNDS):
        lab.ok("submit", where, "--again", "--wait")  # what the one before made may go now
        jobs = lab.ok("sql", "SELECT count(*) FROM job")["rows"]
        victim = VICTIMS[turn % len(VICTIMS)]
        killed_amid(lab, victim, whole * (turn + 1) / (ROUNDS + 1), "retention", "run")
        assert lab.ok("verify")["differences"] == [], f"round {turn}, {victim or 'the command'} killed"
        assert lab.ok("sql", "SELECT count(*) FROM job")["rows"] == jobs
        assert is_whole(lab, 1)
    assert lab.ok("retention", "run")["put_off"] == ""
    assert is_whole(lab, 1)
    assert lab.ok("verify")["differences"] == []
