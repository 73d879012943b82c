"""What the ledger's events say of who did what."""

from medkg_lab.lab.audit import Filter
from medkg_lab.ledger.audit import SEEN, Entry, entry
from medkg_lab.models.events import (
    ACKNOWLEDGED,
    ActNoted,
    DefinitionRegistered,
    Event,
    EventData,
    FieldSet,
    GateOpened,
    GateRejected,
    JobCancelled,
    OpenedJob,
    StageStarted,
)


def entries(*data: EventData) -> list[Entry]:
    events = [Event(seq=seq, id=f"c{seq}", ts=100.0 + seq, data=one) for seq, one in enumerate(data, start=1)]
    return [found for event in events if (found := entry(event)) is not None]


def test_what_people_do_has_an_actor_and_filters_choose() -> None:
    opened = GateOpened(
        gate="pdf", by="anna", how="manual", why="whole", partial=True, entries=(OpenedJob("j1", 3), OpenedJob("j2", 3))
    )
    found = entries(
        opened,
        GateRejected(gate="pdf", jobs=("j3",), by="ben", why="a scan"),
        JobCancelled(jobs=("j4",), by="anna", why="twice"),
        StageStarted("parse", ("j4",), 1.0),
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


def test_acknowledgements_and_acts_without_a_job_are_listed() -> None:
    seen, changed, refused = entries(
        FieldSet(("j1",), ACKNOWLEDGED, 2, "anna"),
        ActNoted("settings.changed", "anna", "logs.format", "text", "json"),
        ActNoted("login.refused", "", "Dagster's pages", why="login needed", count=12),
    )
    assert seen == Entry(1, 101.0, SEEN, "anna", "failure", ("j1",), "", "seen")
    assert (changed.action, changed.before, changed.after) == ("settings.changed", "text", "json")
    assert (refused.by, refused.why) == ("", "12 times: login needed")


def test_a_new_version_of_a_definition_names_the_one_before() -> None:
    event = Event(1, "c1", 101.0, DefinitionRegistered("topology", "pdf", "v2", "c"))
    assert entry(event, "v1") == Entry(1, 101.0, "definition.registered", "", "topology pdf", (), "v1", "v2")
