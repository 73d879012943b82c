"""Where documents are: done of total, the bottleneck, and when they are through."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.lab.flow import Progress, StageFlow, progress

STAGES = ("ingest", "embed", "kg")


def test_the_bottleneck_is_where_most_stand_and_the_rest_is_told_by_the_last_stage() -> None:
    standing = {
        "": {"queued": 3},
        "ingest": {"running": 1},
        "embed": {"running": 9, "failed": 50},
        "kg": {"waiting_gate": 70},
    }
    flows = {"kg": StageFlow(through=5, recent=60)}
    assert progress(STAGES, standing, {"completed": 5, "running": 10, "queued": 3}, flows) == Progress(
        18, 13, "embed", 13.0
    )


def test_nothing_is_foretold_before_a_document_is_through_and_nothing_is_held_up_when_all_are() -> None:
    assert progress(STAGES, {"": {"queued": 4}}, {"queued": 4}, {}) == Progress(4, 4, "ingest", None)
    assert progress(STAGES, {}, {"completed": 7}, {"kg": StageFlow(7, 7)}) == Progress(7, 0)
    assert progress((), {}, {}, {}) == Progress(0, 0)


@given(
    st.dictionaries(
        st.sampled_from(["", *STAGES]),
        st.dictionaries(st.sampled_from(["queued", "running", "waiting_gate", "failed"]), st.integers(0, 50)),
    )
)
def test_only_what_moves_is_left(standing: dict[str, dict[str, int]]) -> None:
    found = progress(STAGES, standing, {}, {})
    assert found.left == sum(states.get("queued", 0) + states.get("running", 0) for states in standing.values())
    assert (found.bottleneck in STAGES) is bool(found.left)
