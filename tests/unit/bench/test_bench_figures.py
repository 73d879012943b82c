"""What is worked out of measured values."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.bench.figures import at_least, at_most, latencies, quantile, spread
from medkg_lab.bench.lane import Passage
from tests.told import event

values = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=200)


@given(values, st.floats(0, 1))
def test_a_quantile_is_a_measured_value_with_enough_at_or_below_it(measured: list[float], share: float) -> None:
    found = quantile(measured, share)
    assert found in measured
    assert sum(value <= found for value in measured) >= share * len(measured) - 1e-9


@given(values)
def test_a_spread_is_in_order(measured: list[float]) -> None:
    found = spread(measured, 9)
    assert found.min <= found.median <= found.max


def test_nothing_measured_is_nothing() -> None:
    assert quantile([], 0.95) == 0.0
    assert latencies([]).n == 0


def test_targets_are_met_at_their_limit() -> None:
    assert at_least("x", 0.95, 0.95).met
    assert not at_least("x", 0.949, 0.95).met
    assert at_most("x", 500.0, 500.0).met
    assert not at_most("x", 500.1, 500.0).met


def test_a_passage_is_read_from_the_events() -> None:
    passage = Passage(submitted={"a": 9.0, "b": 9.5})
    for one in (
        event("job.claimed", ["a", "b"], ts=10.0),
        event("stage.completed", ["a", "b"], ts=10.5, t0=10.0, t1=10.5, ms=[100.0, 200.0]),
        event("job.claimed", ["b"], ts=10.6),
        event("job.completed", ["a"], ts=11.0),
        event("job.failed", ["b"], ts=12.0),
    ):
        passage.add(one)
    assert passage.docs_per_second == 1.0
    assert passage.claim_to_end() == [1.0, 2.0], "a job that was claimed twice counts from the first time"
    assert passage.submit_to_end() == [2.0, 2.5]
    told = passage.describe()
    assert (told["docs"], told["failed"], told["batches"]["n"]) == (2, 1, 2)
    assert told["around_the_stage_ms_per_doc"] == 100.0
