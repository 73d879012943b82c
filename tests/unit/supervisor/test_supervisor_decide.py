"""The supervisor's decisions, case by case and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.supervisor.children import AwakeTime
from medkg_lab.supervisor.decide import (
    BUSY_HUNG_S,
    GRACE_S,
    HUNG_S,
    MAX_BACKOFF_S,
    RUNNING,
    Action,
    Kill,
    Observed,
    Start,
    State,
    Terminate,
    backoff,
    decide,
)
from medkg_lab.supervisor.spec import ProcessSpec

A = ProcessSpec("a", ("a",))
B = ProcessSpec("b", ("b",), after=("a",))
C = ProcessSpec("c", ("c",), after=("a", "b"))
SPECS = (A, B, C)
NOBODY: frozenset[str] = frozenset()


def seen(a: State, b: State = State.ABSENT, c: State = State.ABSENT, since: float = 0.0) -> dict[str, Observed]:
    return {name: Observed(state, since) for name, state in zip("abc", (a, b, c), strict=True)}


def test_a_process_starts_when_all_before_it_are_ready() -> None:
    assert decide(SPECS, seen(State.ABSENT), True, NOBODY, 0) == [Start("a")]
    assert decide(SPECS, seen(State.STARTING), True, NOBODY, 0) == []
    assert decide(SPECS, seen(State.READY), True, NOBODY, 0) == [Start("b")]
    assert decide(SPECS, seen(State.READY, State.READY), True, NOBODY, 0) == [Start("c")]


def test_a_process_that_ended_is_started_again_after_its_backoff_only() -> None:
    observed = {**seen(State.READY, State.READY, State.READY), "b": Observed(State.EXITED, since=10, failures=3)}
    assert decide(SPECS, observed, True, NOBODY, 10.1) == []
    assert decide(SPECS, observed, True, NOBODY, 10 + backoff(3)) == [Start("b")]


def test_what_restarting_cannot_help_stays_down_until_a_person_asks() -> None:
    observed = seen(State.GIVEN_UP)
    assert decide(SPECS, observed, True, NOBODY, 1e9) == []
    assert decide(SPECS, observed, True, frozenset("a"), 0) == [Start("a")]


def test_stopping_goes_from_the_last_to_the_first() -> None:
    assert decide(SPECS, seen(State.READY, State.READY, State.READY), False, NOBODY, 0) == [Terminate("c")]
    assert decide(SPECS, seen(State.READY, State.READY, State.EXITED), False, NOBODY, 0) == [Terminate("b")]
    assert decide(SPECS, seen(State.READY), False, NOBODY, 0) == [Terminate("a")]
    assert decide(SPECS, seen(State.EXITED), False, NOBODY, 0) == []


def test_what_does_not_end_is_killed_once() -> None:
    observed = seen(State.STOPPING, since=5)
    assert decide((A,), observed, False, NOBODY, 5 + GRACE_S - 0.1) == []
    assert decide((A,), observed, False, NOBODY, 5 + GRACE_S) == [Kill("a")]
    assert decide((A,), {"a": Observed(State.STOPPING, 5, killed=True)}, False, NOBODY, 100) == []


def test_a_person_restarts_a_running_process() -> None:
    assert decide(SPECS, seen(State.READY, State.READY, State.READY), True, frozenset("b"), 0) == [Terminate("b")]


SLOW = ProcessSpec("slow", ("slow",), slow=True)
WAITING = ProcessSpec("waiting", ("waiting",), after_outcome=("slow",))


def test_a_process_starts_once_a_slow_one_is_ready_or_has_failed() -> None:
    def actions(slow: Observed, wanted: bool = True, waiting: State = State.ABSENT) -> list[Action]:
        found = {"slow": slow, "waiting": Observed(waiting)}
        return [one for one in decide((SLOW, WAITING), found, wanted, NOBODY, 0) if one.name == "waiting"]

    for state in (State.ABSENT, State.STARTING):
        assert actions(Observed(state)) == []
    for seen_now in (Observed(State.READY), Observed(State.GIVEN_UP), Observed(State.EXITED, failures=1)):
        assert actions(seen_now) == [Start("waiting")]
    assert actions(Observed(State.STARTING, failures=1)) == [Start("waiting")], "it failed before, so it may again"
    both = {"slow": Observed(State.READY), "waiting": Observed(State.READY)}
    assert decide((SLOW, WAITING), both, False, NOBODY, 0) == [Terminate("waiting")]


observations = st.builds(Observed, st.sampled_from(State), st.floats(0, 1000), st.integers(0, 30), st.booleans())


@given(
    st.tuples(observations, observations, observations),
    st.booleans(),
    st.sets(st.sampled_from("abc")),
    st.floats(0, 2000),
)
def test_nothing_runs_before_what_it_needs_and_nothing_ends_before_what_needs_it(
    triple: tuple[Observed, Observed, Observed], wanted: bool, restarting: set[str], now: float
) -> None:
    observed = dict(zip("abc", triple, strict=True))
    by_name = {spec.name: spec for spec in SPECS}
    for action in decide(SPECS, observed, wanted, frozenset(restarting), now):
        state = observed[action.name].state
        match action:
            case Start():
                assert wanted
                assert state not in RUNNING
                if state is State.ABSENT:
                    assert all(observed[name].state is State.READY for name in by_name[action.name].after)
            case Terminate():
                assert state in RUNNING
                if not wanted:
                    dependants = [spec for spec in SPECS if action.name in spec.after]
                    assert not any(observed[spec.name].state in RUNNING for spec in dependants)
            case Kill():
                assert state is State.STOPPING or observed[action.name].is_hung


@given(st.integers(0, 10_000))
def test_the_backoff_grows_and_is_bounded(failures: int) -> None:
    assert 0 < backoff(failures) <= backoff(failures + 1) <= MAX_BACKOFF_S


@pytest.mark.parametrize(("busy", "limit"), [(False, HUNG_S), (True, BUSY_HUNG_S)])
def test_a_process_that_hangs_is_ended_once(busy: bool, limit: float) -> None:
    def actions(silent: float, killed: bool = False) -> list[Action]:
        return decide((A,), {"a": Observed(State.READY, 0, killed=killed, silent=silent, busy=busy)}, True, NOBODY, 0)

    assert actions(limit - 1) == []
    assert actions(limit) == [Kill("a")]
    assert actions(limit + 1, killed=True) == []


def test_only_one_that_is_ready_can_hang() -> None:
    for state in (State.ABSENT, State.STARTING, State.EXITED, State.GIVEN_UP):
        assert not any(
            isinstance(one, Kill) for one in decide((A,), {"a": Observed(state, 0, silent=1e9)}, True, NOBODY, 0)
        )


def test_a_pause_of_the_machine_or_the_supervisor_counts_as_no_silence() -> None:
    now = [0.0]
    awake = AwakeTime(lambda: now[0])
    for step in (0.2, 0.2, 3600.0, 0.2):
        now[0] += step
        awake.advance()
    assert awake.seconds == pytest.approx(0.6 + AwakeTime.LONGEST_STEP_S)
