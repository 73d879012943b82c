"""A job's stages as bars: how long each was at work, or is so far."""

import pytest

from medkg_lab.tui.screens.jobs import gantt
from tests import answers


def test_the_bar_of_a_stage_that_runs_ends_now() -> None:
    job = answers.job(state="running", stages=[{"stage": "parse", "t0": 10.0, "t1": 12.0, "status": "completed", "ms": 2000.0},
                                               {"stage": "embed", "t0": 12.0}])  # fmt: skip
    assert [(bar.name, bar.start, bar.end) for bar in gantt.bars(job, 20.0)] == [
        ("parse", 10.0, 12.0),
        ("embed", 12.0, 20.0),
    ]


@pytest.mark.parametrize(("gate", "end"), [({}, 50.0), ({"state": "open", "opened_at": 30.0}, 30.0)])
def test_a_stay_at_a_gate_lasts_until_it_is_opened(gate: dict[str, object], end: float) -> None:
    job = answers.job(state="waiting_gate", gate={"waiting_since": 5.0, **gate})
    assert [(bar.start, bar.end, bar.waits) for bar in gantt.bars(job, 50.0)] == [(5.0, end, True)]
