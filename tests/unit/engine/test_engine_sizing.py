"""How many jobs an engine claims."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.engine.batch_sizing import FIRST_LIMIT, TARGET_MS, BatchSizing

milliseconds = st.floats(0, 1e5, allow_nan=False)


def test_what_was_never_measured_starts_small() -> None:
    sizing = BatchSizing(48)
    assert sizing.limit([]) == FIRST_LIMIT
    sizing.measured("a", 1, 1.0)
    assert sizing.limit(["a", "b"]) == FIRST_LIMIT


def test_eight_stages_of_a_millisecond_fill_a_batch() -> None:
    sizing = BatchSizing(48)
    for stage in range(8):
        sizing.measured(f"s{stage}", 8, 8 * 1.05)
    assert sizing.limit(f"s{stage}" for stage in range(8)) == 48


def test_a_slow_stage_makes_batches_small_and_comes_back() -> None:
    sizing = BatchSizing(48)
    sizing.measured("a", 1, 1000.0)
    assert sizing.limit(["a"]) == 1
    for _ in range(40):
        sizing.measured("a", 1, 1.0)
    assert sizing.limit(["a"]) == 48


@given(st.lists(st.tuples(st.integers(1, 48), milliseconds), min_size=1), st.integers(1, 512))
def test_the_prediction_stays_within_half_a_second_or_is_one_job(measured: list[tuple[int, float]], most: int) -> None:
    sizing = BatchSizing(most)
    for documents, ms in measured:
        sizing.measured("a", documents, ms)
    limit = sizing.limit(["a"])
    assert 1 <= limit <= most
    fastest, slowest = (pick(ms / documents for documents, ms in measured) for pick in (min, max))
    assert limit <= max(1.0, TARGET_MS / max(fastest, 1e-6))
    assert limit >= min(most, max(1, int(TARGET_MS / max(slowest, 1e-6)) - 1))


def test_a_prediction_needs_a_measurement() -> None:
    sizing = BatchSizing(48)
    assert sizing.predicted("a", 10) is None
    sizing.measured("a", 4, 8.0)
    assert sizing.predicted("a", 10) == 0.02
