"""The screen's measurement, in little: it plays its scenario and judges what the screen wrote down."""

from dataclasses import asdict

import pytest

from medkg_lab.bench import screen
from medkg_lab.bench.screen_source import PER_JOB, rows


@pytest.mark.full
def test_the_scenario_loses_nothing_and_reports_every_target() -> None:
    found = asdict(screen.measure(screen.Options(seconds=1.0, rate=200.0, burst=2_000, flood=4_000)))
    values = {one["name"]: one["value"] for one in found["targets"]}
    assert found["bench"] == "screen"
    assert values["events lost of the burst"] == 0
    assert values["newest of the burst shown"] == 1
    assert values["event to screen p95 ms"] > 0
    assert 0 < values["cores at the steady rate"] < 4
    assert found["detail"]["burst"]["rows"] == 2_000 - 2_000 // PER_JOB
    assert found["detail"]["memory"]["rows"] >= 4_000
    assert all(one["met"] in {True, False} for one in found["targets"])


def test_rows_are_all_events_but_the_first_of_each_job() -> None:
    heads = (0, 1, 2, PER_JOB, PER_JOB + 1, 10 * PER_JOB)
    assert [rows(head) for head in heads] == [0, 0, 1, PER_JOB - 1, PER_JOB - 1, 10 * (PER_JOB - 1)]
