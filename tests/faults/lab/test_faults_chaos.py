"""Processes of a busy lab that end politely, are restarted, or stand still: as after kill -9, nothing fails or is lost."""

import os
from pathlib import Path

import pytest

from tests.faults.lab.chaos import FAULTS, PROCESSES, Report, bundled_documents, matrix, print_report, run
from tests.labs import TestLab


def checked(report: Report) -> None:
    print_report(report)
    assert report.differences == []
    assert report.odd == []
    assert report.by_hand == 0
    assert report.right


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_ledger_restarted_under_work_fails_nothing() -> None:
    """The store and the ledger, which every stage needs, are restarted in turn while documents are worked on."""
    checked(run(1, ("ledgerd", "knowledge"), ("restart",), most=6))


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("process", ["ledgerd", "knowledge", "broker", "dagsterd", "engine-compute"])
def test_a_polite_end_is_like_a_kill(process: str) -> None:
    checked(run(3, (process,), ("restart", "term", "kill")))


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_every_process_survives_every_fault() -> None:
    checked(run(int(os.environ.get("MEDKG_CHAOS_ROUNDS", "1"))))


def test_a_matrix_has_each_process_with_each_fault_as_often(tmp_path: Path) -> None:
    found = matrix(3, PROCESSES, FAULTS, seed=7)
    assert len(found) == 3 * len(PROCESSES) * len(FAULTS)
    assert {found.count(pair) for pair in found} == {3}
    assert matrix(3, PROCESSES, FAULTS, seed=7) == found
    assert len(bundled_documents(tmp_path / "studies", 5)) == 13
    assert TestLab.__test__ is False
