"""The broker's measurement, made small: it counts what it sends, and says whether its targets are met."""

from dataclasses import asdict
from pathlib import Path

import pytest

from medkg_lab.bench.broker import CONSUMERS, OFFERED_PER_SECOND, ROUNDS, Options, measure


@pytest.mark.full
def test_every_consumer_gets_every_record_that_was_measured(tmp_path: Path) -> None:
    found = asdict(measure(Options(records=500, seconds=0.5, folder=tmp_path)))
    assert found["bench"] == "broker"
    assert [one["met"] for one in found["targets"] if "share" in one["name"] and "every consumer" in one["name"]] == [
        True
    ]
    assert len(found["detail"]["latency"]) == ROUNDS
    for one in found["detail"]["latency"]:
        assert one["received"] == [OFFERED_PER_SECOND // 2] * CONSUMERS
    assert all(len(rates) == ROUNDS for rates in found["detail"]["records_per_second"].values())
    assert list(tmp_path.iterdir()) == []
