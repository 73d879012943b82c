"""A clock that is set makes nothing old."""

import pytest

from medkg_lab.clocks import DAY_S, SteadyClock

WALL = 1_800_000_000.0
YEARS = 20 * 365 * DAY_S


@pytest.mark.parametrize(("set_by", "seen"), [(0, 10), (YEARS, 10), (-YEARS, 10 - YEARS)])
def test_it_never_runs_ahead(set_by: float, seen: float) -> None:
    wall, steady = [WALL], [500.0]
    clock = SteadyClock(None, lambda: wall[0], lambda: steady[0])
    assert clock() == WALL
    wall[0], steady[0] = WALL + 10 + set_by, 510.0
    assert clock() == WALL + seen
    wall[0], steady[0] = WALL + 20, 520.0
    assert clock() == WALL + 20


@pytest.mark.parametrize(("newest", "start"), [(WALL - 10, WALL), (WALL - YEARS, WALL - YEARS + DAY_S)])
def test_it_begins_a_day_behind_what_is_newest_at_most(newest: float, start: float) -> None:
    assert SteadyClock(newest, lambda: WALL, lambda: 0.0)() == start
