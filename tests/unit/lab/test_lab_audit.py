"""What the ledger's events say of who did what."""

from medkg_lab.lab.audit import Entry, Filter, entries
from medkg_lab.models.events import (
    DefinitionRegistered,
    Event,
    EventData,
    GateOpened,
    GateRejected,
    JobCancelled,
    OpenedJob,
)


def log(*data: EventData) -> list[Event]:
    return [Event(seq=seq, id=f"c{seq}", ts=100.0 + seq, data=one) for seq, one in enumerate(data, start=1)]


def test_a_changed_pipeline_shows_its_version_before_and_after() -> None:
    found = list(
        entries(
            log(
                DefinitionRegistered("topology", "pdf", "v1", "a"),
                DefinitionRegistered("policies", "pdf", "v7", "b"),
                DefinitionRegistered("topology", "pdf", "v2", "c"),
            )
        )
    )
    assert [(one.subject, one.before, one.after) for one in found] == [
        ("topology pdf", "", "v1"),
        ("policies pdf", "", "v7"),
        ("topology pdf", "v1", "v2"),
    ]


def test_what_people_do_has_an_actor_and_filters_choose() -> None:
    opened = GateOpened(
        gate="pdf", by="anna", how="manual", why="whole", partial=True, entries=(OpenedJob("j1", 3), OpenedJob("j2", 3))
    )
    found = list(
        entries(
            log(
                opened,
                GateRejected(gate="pdf", jobs=("j3",), by="ben", why="a scan"),
                JobCancelled(jobs=("j4",), by="anna", why="twice"),
            )
        )
    )
    assert found[0] == Entry(
        1, 101.0, "gate.opened", "anna", "gate pdf", ("j1", "j2"), "waiting", "open, in part", "whole"
    )
    assert [(one.by, one.after, one.why) for one in found[1:]] == [
        ("ben", "rejected", "a scan"),
        ("anna", "cancelled", "twice"),
    ]
    of_j2 = Filter(job="j2")
    assert [one.seq for one in found if of_j2.passes(one)] == [1]
    late = Filter(by="anna", since=102.5)
    assert [one.seq for one in found if late.passes(one)] == [3]
    only = Filter(action="gate.rejected")
    assert [one.seq for one in found if only.passes(one)] == [2]
