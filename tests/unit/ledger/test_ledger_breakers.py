"""Circuit breakers and rate limits that all processes share."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.ledger.commands.breakers import BreakerProbe, BreakerReport
from medkg_lab.ledger.core import Request
from medkg_lab.ledger.errors import MalformedCommand
from medkg_lab.ledger.rates import BURST_S, Rates, Spent
from tests.unit.ledger.worlds import World

AT = 5000.0


def report(world: World, outcome: str, owner: str = "e1", at: float = AT, id: str | None = None) -> Any:
    """Report as the server does: counted, then decided."""
    world.clock += 0.01
    args = {"policy": "slow", "key": "core", "outcome": outcome, "threshold": 3, "reset_s": 30.0, "owner": owner}
    parsed = BreakerReport.parse({"id": id or f"report-{world.clock:.2f}", **args})
    failures = world.core.failure_counts.note(parsed, world.core.state)
    return world.carry_out(Request(replace(parsed, failures=failures, at=at)))[0]


def probe(world: World, owner: str = "e1", at: float = AT, id: str | None = None, **args: Any) -> Any:
    """Ask for the probe as the server does."""
    world.clock += 0.01
    values = {"id": id or f"probe-{world.clock:.2f}", "policy": "slow", "key": "core", "owner": owner, **args}
    return world.carry_out(Request(replace(BreakerProbe.parse(values), at=at)))[0]


def opened(world: World) -> None:
    """Open the circuit at AT."""
    for _ in range(3):
        report(world, "failure")


def test_it_opens_at_the_threshold_whoever_reports(world: World) -> None:
    assert report(world, "failure", "e1") == {"state": "closed", "until": None}
    assert report(world, "failure", "e2") == {"state": "closed", "until": None}
    assert report(world, "failure", "e3") == {"state": "open", "until": AT + 30}
    assert world.log()[-1].type == "breaker.opened"
    assert world.log()[-1].jobs == ()


def test_a_success_in_between_begins_the_count_anew(world: World) -> None:
    for outcome in ("failure", "failure", "success", "failure", "none", "failure"):
        assert report(world, outcome)["state"] == "closed"
    assert report(world, "failure")["state"] == "open"


def test_a_report_that_is_sent_again_counts_once(world: World) -> None:
    for _ in range(5):
        assert report(world, "failure", id="same")["state"] == "closed"


def test_calls_that_began_before_it_opened_change_nothing(world: World) -> None:
    opened(world)
    head = world.core.state.seq
    for outcome in ("failure", "success", "none"):
        assert report(world, outcome) == {"state": "open", "until": AT + 30}
    assert world.core.state.seq == head


def test_one_probe_at_a_time(world: World) -> None:
    opened(world)
    assert probe(world, "e1", AT + 29) == {"granted": False, "state": "open", "until": AT + 30}
    held = {"granted": True, "state": "half_open", "until": AT + 40}
    assert probe(world, "e1", AT + 30, id="first", limit_s=10.0) == held
    for owner in ("e1", "e2"):
        assert probe(world, owner, AT + 31) == {"granted": False, "state": "half_open", "until": AT + 40}
    assert probe(world, "e1", AT + 32, id="first", limit_s=10.0) == held
    assert report(world, "success", "e2", AT + 33)["state"] == "half_open"
    assert report(world, "success", "e1", AT + 34) == {"state": "closed", "until": None}
    assert probe(world, "e2", AT + 35) == {"granted": True, "state": "closed", "until": None}


def test_a_probe_that_fails_opens_it_again(world: World) -> None:
    opened(world)
    probe(world, "e1", AT + 30)
    assert report(world, "failure", "e1", AT + 31) == {"state": "open", "until": AT + 61}
    assert not probe(world, "e2", AT + 60)["granted"]
    assert probe(world, "e2", AT + 61)["granted"]


def test_a_probe_without_a_verdict_is_given_back(world: World) -> None:
    opened(world)
    probe(world, "e1", AT + 30)
    assert report(world, "none", "e1", AT + 31)["state"] == "open"
    assert probe(world, "e2", AT + 31)["granted"]


def test_a_probe_whose_owner_vanished_is_given_to_the_next(world: World) -> None:
    opened(world)
    probe(world, "e1", AT + 30, limit_s=5.0)
    assert not probe(world, "e2", AT + 34)["granted"]
    assert probe(world, "e2", AT + 35)["granted"]
    assert report(world, "success", "e1", AT + 36)["state"] == "half_open"


@pytest.mark.parametrize("project", [True, False])
def test_it_survives_restarts(world: World, project: bool) -> None:
    opened(world)
    probe(world, "e1", AT + 30)
    before = dict(world.core.state.breakers)
    world.restart(project)
    assert world.core.state.breakers == before
    assert not probe(world, "e2", AT + 31)["granted"]
    assert report(world, "success", "e1", AT + 32)["state"] == "closed"


@pytest.mark.parametrize(
    "wrong", [{"outcome": "perhaps"}, {"threshold": 0}, {"reset_s": -1}, {"owner": ""}, {"key": None}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    good = {"id": "x", "policy": "p", "key": "k", "outcome": "failure", "threshold": 1, "reset_s": 1.0, "owner": "e"}
    assert BreakerReport.parse(good).threshold == 1
    with pytest.raises(MalformedCommand):
        BreakerReport.parse({**good, **wrong})


def test_a_rate_is_shared_and_tells_how_long_to_wait() -> None:
    now = [100.0]
    rates = Rates(lambda: now[0])
    assert rates.lease("p", "k", 2.0, 5) == (1, 0.0)
    assert rates.lease("p", "k", 2.0, 5) == (0, 0.5)
    assert rates.lease("p", "other", 2.0, 1) == (1, 0.0)
    now[0] += 0.5
    assert rates.lease("p", "k", 2.0, 5) == (1, 0.0)


def test_a_rate_is_spent_while_somebody_waits_for_it() -> None:
    now = [100.0]
    rates = Rates(lambda: now[0])
    rates.lease("p", "k", 0.5, 1)
    assert rates.spent() == [], "nobody was refused"
    rates.lease("p", "k", 0.5, 1)
    now[0] += 0.5
    assert rates.spent() == [Spent("p", "k", 0.5, 1.5)]
    now[0] += 1.5
    assert rates.spent() == [Spent("p", "k", 0.5, 0.0)], "who waits has yet to ask again"
    rates.lease("p", "k", 0.5, 1)
    assert rates.spent() == []
    rates.lease("p", "k", 0.5, 1)
    now[0] += 60
    assert rates.spent() == [], "who was refused has gone"


@given(
    rate=st.floats(0.1, 1000.0),
    asks=st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(1, 50)), min_size=1, max_size=100),
)
def test_no_stretch_of_time_gets_more_than_its_rate(rate: float, asks: list[tuple[float, int]]) -> None:
    now = [0.0]
    rates, given_ = Rates(lambda: now[0]), []
    for pause, want in asks:
        now[0] += pause
        granted, wait = rates.lease("p", "k", rate, want)
        assert granted <= want
        assert (wait > 0) == (granted == 0)
        given_.append((now[0], granted))
    most = max(1.0, rate * BURST_S)
    for n, (begin, _) in enumerate(given_):
        total = 0
        for at, granted in given_[n:]:
            total += granted
            assert total <= most + rate * (at - begin) + 1e-6
