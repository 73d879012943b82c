"""An archive whose events cannot have happened like this is refused when it is imported, in words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from medkg_lab.locations import locate
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.errors import ArchiveRefused
from medkg_lab.repro.manifest import Manifest, entries, lines
from medkg_lab.repro.workbench import Workbench
from tests.unit.repro.worlds import incident, study, topology

Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return incident(tmp_path_factory.mktemp("made"), [study("NCT70000091"), study("NCT70000092")], topology())


def told(archive: Archive) -> Events:
    return [json.loads(line) for line in archive.members[names.EVENTS].splitlines()]


def renamed(events: Events, seq: int, **changes: Any) -> Events:
    return [{**one, **changes} if one["seq"] == seq else one for one in events]


CHANGES: dict[str, tuple[Callable[[Events], Events], str]] = {
    "reversed": (lambda events: events[::-1], "before it was submitted"),
    "two exchanged": (lambda events: [*events[:-2], events[-1], events[-2]], "comes after event"),
    "one twice": (lambda events: [*events, events[-1]], "comes after event"),
    "one id twice": (lambda events: renamed(events, 4, id=events[2]["id"]), "has an id that an event before it has"),
    "no beginning": (lambda events: events[1:], "before it was submitted"),
    "no claim": (lambda events: [events[0], *events[2:]], "claim is not there"),
    "no start of a stage": (lambda events: [*events[:2], *events[3:]], "which had not begun"),
    "another's stage": (lambda events: renamed(events, 3, stage="polish"), "not in its batch"),
    "a job twice": (lambda events: renamed(events, 3, jobs=events[2]["jobs"] * 2), "names a job twice"),
    "a stranger": (lambda events: renamed(events, 3, jobs=["someone"]), "none of the incident's"),
    "submitted again": (lambda events: [events[0], {**events[0], "seq": 1.5, "id": "x"}, *events[1:]], "is wrong"),
    "a batch of nobody": (lambda events: renamed(events, 3, batch="b9"), "claim is not there"),
    "nothing at all": (lambda events: [], "nothing tells how job"),
    "a gate that was not there": (
        lambda events: [
            *events,
            {
                **events[-1],
                "seq": 99,
                "id": "x",
                "type": "gate.failed",
                "stage": "gate",
                "data": {"by": "pdf", "kind": "bad_input", "reason": "x"},
            },
        ],
        "had come to no gate",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_cannot_have_happened_is_refused_before_anything_is_written(
    made: Archive, name: str, tmp_path: Path
) -> None:
    change, words = CHANGES[name]
    refuse({**made.members, names.EVENTS: lines(change(told(made)))}, made, words, tmp_path)


def refuse(members: dict[str, bytes], made: Archive, words: str, tmp_path: Path) -> None:
    """An archive of these members is refused with these words, and leaves nothing."""
    archive = Archive(Manifest.model_validate({**vars(made.manifest), "files": entries(members)}), members)
    with pytest.raises(ArchiveRefused, match=words):
        Workbench.of(archive, locate(tmp_path / "desk"))
    assert not (tmp_path / "desk").exists() or not any((tmp_path / "desk").rglob("*.json*"))


def test_an_artifact_that_events_name_must_be_there(made: Archive, tmp_path: Path) -> None:
    [one, *_] = [event["data"]["refs"][0] for event in told(made) if event["type"] == "stage.completed"]
    members = {name: data for name, data in made.members.items() if not name.endswith(one)}
    refuse(members, made, f"name the artifact {one}", tmp_path)
    missing = made.manifest.model_copy(update={"missing": (f"the artifact {one}",), "files": entries(members)})
    assert Workbench.of(Archive(missing, members), locate(tmp_path / "told")).incident.events


def test_the_pipeline_of_a_claim_must_be_there(made: Archive, tmp_path: Path) -> None:
    members = {name: data for name, data in made.members.items() if not name.startswith("definitions/topology/")}
    refuse(members, made, "pipeline short .* is not in the archive", tmp_path)


def test_every_event_of_an_archive_can_be_lost_and_it_ends_in_words(made: Archive, tmp_path: Path) -> None:
    events = told(made)
    for place in range(len(events)):
        members = {**made.members, names.EVENTS: lines(events[:place] + events[place + 1 :])}
        archive = Archive(Manifest.model_validate({**vars(made.manifest), "files": entries(members)}), members)
        try:
            bench = Workbench.of(archive, locate(tmp_path / f"desk{place}"))
        except ArchiveRefused:
            continue
        assert orjson.dumps(bench.incident.manifest.model_dump(mode="json"))
