"""The whole lab on the bundled documents: the demo, and what a person does next."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.models.identity import plain
from medkg_lab.topology import bundled
from tests.labs import TestLab
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(500)

Demo = tuple[TestLab, dict[str, Any]]

TRIAL = {
    "protocolSection": {
        "identificationModule": {"nctId": "NCT99999901", "briefTitle": "Zanamivir in quokka influenza"},
        "descriptionModule": {"briefSummary": "A study of zanamivir for influenza in quokkas on Rottnest Island."},
        "conditionsModule": {"conditions": ["Influenza"]},
    }
}


def write_trial(folder: Path, summary: str) -> Path:
    study = json.loads(json.dumps(TRIAL))
    study["protocolSection"]["descriptionModule"]["briefSummary"] = summary
    path = folder / "study.json"
    path.write_text(json.dumps(study))
    return path


def test_every_expectation_of_the_demo_held(demo: Demo) -> None:
    _, summary = demo
    assert summary["unmet"] == []
    assert summary["ok"] is True
    assert summary["code"] == 0
    assert summary["jobs"] == {"completed": 28, "failed": 3}
    assert {one["kind"] for one in summary["failures"]} == {"bad_input"}
    assert summary["gates"]["opened_by_hand"] == 1
    assert summary["gates"]["opened_by_condition"] == 5


def test_the_reasons_of_the_failures_name_what_is_wrong(demo: Demo) -> None:
    _, summary = demo
    reasons = {plain(one["doc_id"]).rpartition(":")[2]: one["reason"].lower() for one in summary["failures"]}
    assert "password" in reasons["encrypted.pdf"] or "encrypted" in reasons["encrypted.pdf"]
    assert "damaged" in reasons["truncated.pdf"] or "truncated" in reasons["truncated.pdf"]
    assert "study" in reasons["not-a-study.json"]


def test_ledger_topic_and_dagster_agree(demo: Demo) -> None:
    lab, _ = demo
    found = lab.ok("verify")
    assert found["ok"] is True
    assert found["jobs"] >= 31
    assert found["cloudevents"]["distinct"] >= 400
    assert found["dagster_runs"] >= 31


def test_search_finds_with_ranks_and_provenance(demo: Demo) -> None:
    lab, _ = demo
    answer = lab.ok("search", "metformin in type 2 diabetes")
    best = answer["hits"][0]
    assert "metformin" in best["text"].lower()
    assert {"bm25", "dense", "sparse"} == set(best["ranks"])
    assert best["provenance"]
    assert "off" in answer["legs"]["sparse"]


def test_the_graph_answers(demo: Demo) -> None:
    lab, _ = demo
    node = lab.ok("graph", "node", "Metformin")
    assert node["neighbours"]
    path = lab.ok("graph", "path", "Metformin", "Diabetes Mellitus, Type 2")
    assert path["edges"]
    assert lab.ok("graph", "why", "Metformin", "Diabetes Mellitus, Type 2") is not None


def test_a_document_is_given_out_and_found_by_any_of_its_identifiers(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    hits = lab.ok("search", "metformin")["hits"]
    article = next(hit["doc_id"] for hit in hits if hit["doc_id"].startswith(("pmc:", "clinicaltrials:")))
    key = article.partition(":")[2]
    written = f"{key[:3].lower()} {key[3:]}."
    assert lab.ok("graph", "node", written)["node"]["node_id"].endswith(key)
    shown = lab.run("document", "show", written)
    assert shown.out.startswith("# ")
    for name in ("json", "bioc", "pubtator"):
        lab.ok("document", "show", article, "--format", name, "--out", str(tmp_path))
    [given_out] = json.loads((tmp_path / "document.bioc.json").read_text())["documents"]
    assert given_out["id"] == article
    assert any(passage["annotations"] for passage in given_out["passages"])
    bibliography = lab.run("search", "metformin", "--format", "ris").out
    assert bibliography.count("TY  - ") == len({hit["doc_id"] for hit in hits})


def test_status_names_processes_ports_lag_and_durability(demo: Demo) -> None:
    lab, _ = demo
    status = lab.ok("status")
    assert {one["state"] for one in status["processes"]} == {"ready"}
    assert len(status["processes"]) == 8
    assert "fdatasync" in status["broker"]["durability"]
    wait_until(lambda: set(lab.ok("status")["lag"].values()) == {0}, 30, "the views catch up")


def test_labs_lists_it_as_ready(demo: Demo) -> None:
    lab, _ = demo
    (found,) = [one for one in lab.ok("labs") if one["home"] == str(lab.home)]
    assert found["state"] == "ready"


def test_submitting_again_is_reported_and_does_nothing(demo: Demo) -> None:
    lab, _ = demo
    before = lab.ok("status")["jobs"]
    folder = "bundled_pipelines/demo/trials"
    outcome = lab.ok("submit", str(Path(__file__).parents[3] / folder), "--wait")
    assert outcome["already"] == 14
    assert lab.ok("status")["jobs"] == before


def test_changed_content_replaces_the_document_when_it_completes(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    lab.ok("submit", str(write_trial(tmp_path, "Quokkas were given oseltamivir.")), "--wait")
    wait_until(
        lambda: lab.ok("search", "quokkas oseltamivir")["hits"][0]["doc_id"] == "clinicaltrials:NCT99999901",
        20,
        "it is found",
    )
    lab.ok("submit", str(write_trial(tmp_path, "Quokkas were given favipiravir.")), "--wait")

    def replaced() -> bool:
        texts = " ".join(
            hit["text"] for hit in lab.ok("search", "quokkas were given")["hits"] if "NCT99999901" in hit["doc_id"]
        )
        return "favipiravir" in texts and "oseltamivir" not in texts

    wait_until(replaced, 20, "the new text replaces the old")


def test_again_runs_the_same_content_once_more(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    path = write_trial(tmp_path, "Quokkas were given nothing at all.")
    first = lab.ok("submit", str(path), "--wait")
    again = lab.ok("submit", str(path), "--wait", "--again")
    assert (first["already"], again["already"]) == (0, 0)
    assert again["jobs"] == {"completed": 1}


def test_moving_the_file_after_submitting_loses_nothing(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    path = write_trial(tmp_path, "Quokkas moved away.")
    job = lab.ok("submit", str(path))["jobs"][0]["job_id"]
    path.unlink()
    wait_until(lambda: lab.run("jobs", "show", job, "--json").code == 0, 20, "the job is known")
    wait_until(lambda: lab.ok("jobs", "show", job)["state"] == "completed", 30, "the job completes")


def test_a_bad_message_becomes_a_dead_letter_with_its_reason(demo: Demo) -> None:
    lab, _ = demo
    assert lab.run("broker", "produce", "ingest.requests.v1", "this is not a request").code == 0

    def letters() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = lab.ok("broker", "tail", "ingest.deadletter.v1")
        return [one for one in found if one["value"] == "this is not a request"]

    letter = wait_until(letters, 20, "the dead letter")[0]
    assert "not JSON" in dict(letter["headers"])["medkg-reason"]


def test_sql_answers_selects_and_refuses_the_rest(demo: Demo) -> None:
    lab, _ = demo
    answer = lab.ok("sql", "SELECT state, count(*) AS n FROM job GROUP BY state")
    assert answer["columns"] == ["state", "n"]
    for statement in (
        "DELETE FROM job",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY job TO '/tmp/x'",
        "ATTACH 'x.db'",
    ):
        assert lab.run("sql", statement).code != 0
    assert lab.run("sql", "SELECT 1 AS one", "--csv").out.split() == ["one", "1"]


def test_a_gate_that_is_not_closed_is_refused_with_code_4(demo: Demo) -> None:
    lab, _ = demo
    done = lab.run("gate", "open", "file:copd-azithromycin.pdf")
    assert done.code == 4
    assert done.err


def test_a_job_can_be_retried_from_a_stage(demo: Demo) -> None:
    lab, _ = demo
    doc = "clinicaltrials:NCT90000001"
    lab.ok("jobs", "retry", doc, "--from", "extract")
    wait_until(lambda: lab.ok("jobs", "show", doc)["state"] == "completed", 30, "it completes again")
    stages = lab.ok("jobs", "show", doc)["stages"]
    assert [one["stage"] for one in stages if one["execution"] == 2] == ["extract", "kg"]
    assert lab.ok("verify")["ok"] is True


def test_what_does_not_exist_is_named_with_code_2(demo: Demo) -> None:
    lab, _ = demo
    done = lab.run("restart", "nope")
    assert done.code == 2
    assert done.err.startswith("medkg-lab: The lab has no process called 'nope'. It has: broker, ")


def test_a_call_that_leaves_everything_out_fails(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    (tmp_path / "notes.log").write_text("not a document")
    done = lab.run("submit", str(tmp_path / "notes.log"))
    assert done.code == 1
    assert "skipped" in done.err


def test_files_of_one_name_are_two_documents_until_a_person_says_otherwise(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    papers = sorted((bundled.folder() / "demo" / "papers").glob("[dm]*.pdf"))
    for place, paper in zip("ab", papers, strict=True):
        (tmp_path / place).mkdir()
        # A remark behind the end makes other bytes of it, so that the demo's own documents stay as they are.
        (tmp_path / place / "fulltext.pdf").write_bytes(paper.read_bytes() + b"\n% again\n")
        lab.ok("submit", str(tmp_path / place / "fulltext.pdf"), "--wait", "--timeout", "200")
    ids = {job["doc_id"] for job in lab.ok("jobs", "list", "--doc", "file:fulltext.pdf")}
    assert len(ids) == 2
    for words in ("dapagliflozin preserved ejection fraction", "migraine prevention"):
        hits = lab.ok("search", words)["hits"]
        # A paper that carries its DOI stands for its copies; they are named behind it.
        assert ids & {one["doc_id"] for hit in hits for one in (hit, *hit["same_work"])}
    several = lab.run("jobs", "show", "file:fulltext.pdf")
    assert several.code == 2
    assert all(doc_id in several.err for doc_id in ids)
    (tmp_path / "copy.pdf").write_bytes((tmp_path / "a" / "fulltext.pdf").read_bytes())
    [same] = lab.ok("submit", str(tmp_path / "copy.pdf"))["jobs"]
    assert (same["content"], same["already"], same["doc_id"] in ids) == ("known", True, True)
    newer = tmp_path / "newer.pdf"
    newer.write_bytes(papers[0].read_bytes() + b"\n% newer\n")
    [told] = lab.ok("submit", str(newer), "--replaces", same["doc_id"], "--wait", "--timeout", "200")["documents"]
    assert (told["doc_id"], told["content"]) == (same["doc_id"], "replaces")
    assert lab.ok("jobs", "show", same["doc_id"])["replaces"]["job_id"] == same["job_id"]
    assert lab.run("submit", str(tmp_path), "--replaces", same["doc_id"]).code == 2
    assert lab.ok("graph", "node", f"doc:{same['doc_id']}")["node"]


def test_a_plugin_under_work_is_tried_before_and_after_each_change(demo: Demo, tmp_path: Path) -> None:
    lab, _ = demo
    assert lab.run("new", "stage", "drop-short", "--folder", str(tmp_path)).code == 0
    folder = tmp_path / "medkg-drop-short"
    source = folder / "medkg_drop_short" / "__init__.py"
    assert lab.run("dev", str(folder), "--once", "--pipeline", "nobody").code == 2
    process = lab.popen("dev", str(folder), "--last", "3", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        first = json.loads(process.stdout.readline())["documents"]
        assert len(first) == 3
        assert not any(one["differs"] for one in first)
        assert process.stderr.readline().startswith(f"Watching {folder}")
        text = source.read_text()
        source.write_text(text.replace("tuple(kept)", "tuple(kept[:1])"))
        changed = json.loads(process.stdout.readline())["documents"]
        assert [one["after"]["made"] for one in changed] == [one["before"]["made"][:1] for one in first]
        assert any(one["differs"] for one in changed)
        source.write_text(text + "\nthis is no Python\n")
        assert "SyntaxError" in json.loads(process.stdout.readline())["error"]
        source.write_text(text)
        again = json.loads(process.stdout.readline())["documents"]
        assert [one["before"] for one in again] == [one["after"] for one in changed]
        assert [one["after"] for one in again] == [one["before"] for one in first]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (0, 130)


def test_down_leaves_nothing_and_up_brings_everything_back(demo: Demo) -> None:
    lab, _ = demo
    before = lab.ok("status")
    lab.ok("down")
    assert lab.leftovers() == []
    assert lab.run("status").code == 3
    lab.ok("up")
    after = lab.ok("status")
    assert after["jobs"] == before["jobs"]
    # Dagster's pages prefer port 3000, which another lab may have had at the first start.
    assert after["ports"] == before["ports"] | {"dagster": after["ports"]["dagster"]}
    assert after["ports"]["dagster"] in (before["ports"]["dagster"], 3000)
    assert lab.ok("search", "metformin in type 2 diabetes")["hits"]
