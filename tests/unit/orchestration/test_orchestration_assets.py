"""What Dagster's asset pages are told of a window of work."""

from medkg_lab.models.events import Event
from medkg_lab.orchestration.assets import WINDOW_S, MaterializationWindow, from_json
from tests.told import event


def completed(kind: str, jobs: list[str], counts: list[int], ts: float = 100.0) -> Event:
    return event("stage.completed", jobs, ts=ts, kind=kind, counts=counts)


def test_many_batches_become_one_materialisation_of_each_asset() -> None:
    window = MaterializationWindow()
    window.add([completed("document", ["a", "b"], [1, 1]), completed("chunks", ["a", "b"], [4, 6])])
    window.add([completed("chunks", ["c"], [5], ts=105.0), completed("payload", ["c"], [1])])
    window.add([event("job.completed", ["a"], ts=106.0)])
    made = {each.asset_key.to_user_string(): each.metadata for each in window.materializations()}
    assert set(made) == {"documents", "chunks"}
    assert (made["chunks"]["documents"].value, made["chunks"]["chunks"].value) == (3, 15)
    assert made["chunks"]["last_job"].value == "c"


def test_a_window_lasts_its_time_from_its_first_event() -> None:
    window = MaterializationWindow()
    assert not window.is_over(1e9), "nothing was made"
    window.add([completed("document", ["a"], [1], ts=100.0)])
    window.add([completed("document", ["b"], [1], ts=109.0)])
    assert not window.is_over(100.0 + WINDOW_S - 0.1)
    assert window.is_over(100.0 + WINDOW_S)
    assert window.is_over(99.0), "a clock that was set back does not keep a window open"


def test_a_window_survives_a_restart() -> None:
    window = MaterializationWindow()
    window.add([completed("embeddings", ["a"], [7])])
    assert from_json(window.to_json()) == window
    assert from_json(None) == MaterializationWindow()
