"""Ages that no clock can be set to change."""

import pytest

from medkg_lab.broker.embedded.ages import DAY_MS, AgeClock, Reading

WALL = 1_800_000_000_000
YEARS = 20 * 365 * DAY_MS


def test_a_new_lab_begins_with_the_wall_clock() -> None:
    clock = AgeClock(None, None, WALL, 5000)
    assert [clock.now(5000), clock.now(6000)] == [WALL, WALL + 1000]


@pytest.mark.parametrize("set_by", [YEARS, -YEARS, DAY_MS, -61_000])
def test_a_clock_that_is_set_moves_no_age_and_is_noticed_once(set_by: int) -> None:
    clock = AgeClock(None, None, WALL, 0)
    assert clock.jump(WALL + 1000, 1000) == 0
    assert clock.jump(WALL + 2000 + set_by, 2000) == set_by
    assert clock.now(2000) == WALL + 2000
    assert clock.jump(WALL + 3000 + set_by, 3000) == 0
    assert clock.jump(WALL + 4000, 4000) == -set_by


@pytest.mark.parametrize(
    ("passed", "counted"), [(1000, 1000), (DAY_MS, DAY_MS), (90 * DAY_MS, DAY_MS), (YEARS, DAY_MS), (-YEARS, 0)]
)
def test_a_time_without_the_broker_counts_for_a_day_at_most(passed: int, counted: int) -> None:
    saved = Reading(WALL, WALL)
    assert AgeClock(saved, WALL, WALL + passed, 77).now(77) == WALL + counted


def test_a_first_start_with_a_wrong_clock_makes_nothing_old() -> None:
    assert AgeClock(None, WALL, WALL + YEARS, 0).now(0) == WALL + DAY_MS
    assert AgeClock(None, WALL, WALL - YEARS, 0).now(0) == WALL - YEARS


def test_a_reading_is_read_as_it_was_written() -> None:
    reading = AgeClock(None, None, WALL, 0).reading(WALL + YEARS, 500)
    assert reading == Reading(WALL + 500, WALL + YEARS)
    assert Reading.parse(str(reading)) == reading
