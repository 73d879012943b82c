"""What may go, and when: pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.lab.deletion import unneeded
from medkg_lab.lab.retention import budget_words, last_to_drop, plan
from medkg_lab.ledger.answers import KEPT_EVENTS
from medkg_lab.settings import RetentionSettings
from medkg_lab.sources.exchanges import StoredExchange

DAY = 86_400.0
MIB = 1024 * 1024
NOW = 1000 * DAY


def test_within_the_budget_the_settings_hold() -> None:
    chosen = plan(RetentionSettings(events=70_000, archive_days=10, superseded_days=5, disk_mib=100), 99 * MIB, NOW)
    assert chosen.events == 70_000
    assert chosen.archive_before == NOW - 10 * DAY
    assert chosen.superseded_before == NOW - 5 * DAY
    assert not chosen.is_over


def test_beyond_the_budget_what_may_go_goes_at_once() -> None:
    chosen = plan(RetentionSettings(events=70_000, superseded_days=5, disk_mib=100), 101 * MIB, NOW)
    assert (chosen.events, chosen.superseded_before, chosen.archive_before) == (KEPT_EVENTS, NOW, None)
    assert plan(RetentionSettings(events=7, disk_mib=100), 101 * MIB, NOW).events == 7


@pytest.mark.parametrize(("old", "oldest", "drops"), [(None, None, 0), (50, None, 50), (50, 20, 19), (50, 90, 50)])
def test_events_of_unfinished_jobs_stay(old: int | None, oldest: int | None, drops: int) -> None:
    assert last_to_drop(old, oldest) == drops


@pytest.mark.parametrize(
    ("used", "budget", "words"),
    [(50, None, "would bound it"), (50, 100, "50 of the 100 MiB"), (120, 100, "20 MiB more")],
)
def test_the_budget_is_said_in_words(used: int, budget: int | None, words: str) -> None:
    assert words in budget_words({"artifacts": used * MIB}, RetentionSettings(disk_mib=budget))


def exchange(job: str, body: str, asked: str) -> StoredExchange:
    return StoredExchange(
        key="k", method="GET", url="u", ms=1, size=1, kept=True, body=body, asked=asked, labels={"job": job}
    )


EXCHANGES = st.dictionaries(
    st.sampled_from(["r1", "r2", "r3", "r4"]),
    st.builds(exchange, st.sampled_from("ab"), st.sampled_from(["x", "y"]), st.sampled_from(["", "z"])),
)


@given(EXCHANGES)
def test_what_another_job_exchanged_stays(found: dict[str, StoredExchange]) -> None:
    gone = unneeded(found, {"a"})
    for name, one in found.items():
        assert (name in gone) == (one.job == "a")
        if one.job == "b":
            assert not gone & {one.body, one.asked}
