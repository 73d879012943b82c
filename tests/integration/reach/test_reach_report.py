"""The report of a real lab, and in a real browser."""

import re
import stat
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from medkg_lab import Lab
from medkg_lab.cli.main import main
from medkg_lab.report.facts import FailureFacts, gather, most_linked, throughput
from medkg_lab.report.judged import JudgementsUnreadable, measure, read_judged
from medkg_lab.report.page import LIBRARY, render
from medkg_lab.sdk.records import Edge, Node
from tests.browsers import BROWSER, in_browser

pytestmark = pytest.mark.timeout(400)


def own(page: str) -> str:
    """The page without the library, whose source speaks of elements too."""
    library = files("medkg_lab.report").joinpath(LIBRARY).read_text(encoding="utf-8")
    assert library in page
    return page.replace(library, "")


def test_the_page_tells_what_became_of_every_document(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert main(["report", "--home", str(lab.home), "--out", str(path)]) == 0
    page = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "EncryptedPdf" in page
    assert "warfarin-time-in-range.pdf" in page
    facts = gather(lab, 0.0)
    assert sum(facts.states.values()) == len(lab.jobs(limit=1000))
    assert {one.name for one in facts.stages} >= {"parse", "embed", "kg"}
    assert sum(facts.throughput.counts) == facts.states["completed"]
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", own(page))


def test_foreign_text_stays_text(lab: Lab) -> None:
    evil = "<script>alert(1)</script></script><img src=x onerror=alert(2)>"
    facts = gather(lab, 0.0)
    failure = FailureFacts(f"file:{evil}", "auto", "failed", "parse", "bad_input", evil)
    page = own(render(replace(facts, failures=(failure,), nodes=(Node("x", evil, evil),), edges=())))
    assert "<script>alert" not in page
    assert "<img" not in page


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium")
def test_a_browser_draws_it_and_says_nothing_against_it(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(gather(lab, 0.0)))
    seen = in_browser(path, "--enable-logging=stderr", "--dump-dom")
    assert seen.stdout.count("<svg") == 4
    assert "<li>" in seen.stdout
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    in_browser(path, f"--print-to-pdf={tmp_path / 'report.pdf'}")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_search_is_judged_by_what_a_person_expects(lab: Lab, tmp_path: Path) -> None:
    trial = next(one for one in lab.documents() if one.source == "clinicaltrials")
    judged = tmp_path / "judged.tsv"
    key = trial.doc_id.partition(":")[2]
    judged.write_text(f"# mine\n{trial.title}\tpmc:PMC1 {key}\n\n{trial.title}\tfile:nobody\n")
    path = tmp_path / "report.html"
    assert main(["report", "--home", str(lab.home), "--out", str(path), "--judged", str(judged)]) == 0
    assert "Search, as judged (2 queries)" in path.read_text()
    quality = measure(lab, read_judged(judged))
    assert [one.rank for one in quality.asked] == [1, None]
    assert (quality.success_at_1, quality.success_at_5, quality.reciprocal_rank) == (0.5, 0.5, 0.5)
    assert "Search, as judged" not in render(gather(lab, 0.0))


@pytest.mark.parametrize("text", ["", "# nothing\n", "no tab\n", "query\t\n", "\tpmc:PMC1\n"])
def test_judgements_that_say_nothing_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "judged.tsv"
    path.write_text(text)
    with pytest.raises(JudgementsUnreadable):
        read_judged(path)
    with pytest.raises(JudgementsUnreadable):
        read_judged(tmp_path / "nowhere")


def test_ends_are_counted_in_whole_buckets() -> None:
    assert throughput([]).counts == ()
    counted = throughput([0.0, 0.5, 100.0, 599.0], buckets=60)
    assert (counted.width_s, sum(counted.counts), counted.counts[0]) == (10.0, 4, 2)


def test_the_most_linked_nodes_are_kept_with_what_is_between_them() -> None:
    nodes = [Node(one, "drug", one) for one in "abcd"]
    edges = [Edge("a", "treats", "b"), Edge("a", "treats", "c"), Edge("b", "treats", "c")]
    kept, between = most_linked(nodes, edges, 2)
    assert [one.node_id for one in kept] == ["a", "b"]
    assert between == (edges[0],)
    assert most_linked(nodes, edges, 10)[0] == tuple(nodes[:3])
