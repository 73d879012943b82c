"""Events in OpenLineage's form: as its published schemas want them, and delivered once each, whatever happens in between."""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.errors import LabError
from medkg_lab.ledger.view_file import Place
from medkg_lab.lineage.columns import SOURCES, columns
from medkg_lab.lineage.derive import Granularity, Known
from medkg_lab.lineage.errors import LineageNotTaken, LineageNotWritten
from medkg_lab.lineage.openlineage import Writer
from medkg_lab.lineage.sinks import PATH, FileSink, HttpSink, Sink
from medkg_lab.lineage.view import Lineage
from medkg_lab.models.events import Event
from medkg_lab.stages.kinds import KINDS
from tests.http_service import Answer, Asked, HttpService, http_service
from tests.unit.ledger.test_ledger_walks import Walk
from tests.unit.lineage import lineages
from tests.unit.lineage.openlineage_spec import Spec

WRITER = Writer("medkg-lab")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    walk = Walk(tmp_path_factory.mktemp("walk"), 5)
    walk.go(220)
    return walk.world.log()


def expected(events: Sequence[Event], granularity: Granularity = Granularity.DOCUMENT) -> list[bytes]:
    return [WRITER.line(one) for one in lineages.told(events, granularity).told]


def opened(folder: Path, sink: Sink, granularity: Granularity = Granularity.DOCUMENT) -> Lineage:
    known = Known(lineages.inputs, lambda job_id, kept: None)
    return Lineage(folder / "place.sqlite", known, granularity, WRITER, sink)


@pytest.mark.parametrize("granularity", list(Granularity))
def test_every_event_is_as_the_published_schemas_want_it(
    shared_data: Path, events: list[Event], granularity: Granularity
) -> None:
    spec = Spec(shared_data / "openlineage" / "spec")
    lines = expected(events, granularity)
    assert len(lines) > 40
    problems = Counter(problem for line in lines for problem in spec.problems(json.loads(line)))
    assert not problems


def test_what_is_wrong_is_found(shared_data: Path, events: list[Event]) -> None:
    spec = Spec(shared_data / "openlineage" / "spec")
    event: dict[str, Any] = json.loads(expected(events)[0])
    assert not spec.problems(event)
    assert spec.problems({**event, "eventType": "BEGUN"})
    assert spec.problems({**event, "run": {"runId": "no uuid"}, "job": {"facets": event["job"]["facets"]}})
    facets = {**event["run"]["facets"], "tags": {**event["run"]["facets"]["tags"], "tags": [{"key": 1}]}}
    assert spec.problems({**event, "run": {**event["run"], "facets": facets}})


def test_columns_come_from_columns_that_there_are() -> None:
    assert KINDS.keys() >= SOURCES.keys()
    for kind, of_fields in SOURCES.items():
        assert {name for name, _ in columns(kind)} >= of_fields.keys()
        for other, field in (pair for pairs in of_fields.values() for pair in pairs):
            assert field in {name for name, _ in columns(other)}
    assert ("text", "str") in columns("chunks")
    assert columns("a plug-in's own") == ()


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


@pytest.mark.parametrize("granularity", list(Granularity))
def test_a_file_has_each_event_once_whatever_ends_the_process(
    tmp_path: Path, events: list[Event], granularity: Granularity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pick = tmp_path / "events.jsonl", random.Random(3)
    view, at = opened(tmp_path, FileSink(path), granularity), 0
    while at < len(events):
        portion = events[at : at + pick.randint(1, 30)]
        way = pick.choice(["well", "well", "after the file", "in the file"])
        if way == "after the file":
            view._begin()
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(Lineage, "_save", interrupt)
                view.apply(portion)
        if way == "in the file":
            with path.open("ab") as file:
                file.write(b'{"half of an eve')
        if way != "well":
            view = opened(tmp_path, FileSink(path), granularity)
        view.apply(portion)
        at += len(portion)
    assert lines_of(path) == expected(events, granularity)
    assert view.place == Place(events[-1].seq, events[-1].id)
    assert os.stat(path).st_mode & 0o777 == 0o600


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_that_was_moved_away_is_begun_anew_and_a_strange_one_is_kept(
    tmp_path: Path, events: list[Event]
) -> None:
    path, whole = tmp_path / "events.jsonl", expected(events)
    path.write_bytes(b"someone's notes\n")
    view = opened(tmp_path, FileSink(path))
    view.apply(events[:50])
    moved = path.rename(tmp_path / "older.jsonl")
    view.apply(events[50:100])
    opened(tmp_path, FileSink(path)).apply(events[100:])
    first, *rest = lines_of(moved)
    assert first == b"someone's notes"
    assert rest + lines_of(path) == whole


def test_what_cannot_be_a_file_is_refused(tmp_path: Path, events: list[Event]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "link", tmp_path / "fifo", tmp_path / "missing" / "events", tmp_path):
        with pytest.raises(LineageNotWritten):
            opened(tmp_path, FileSink(path)).apply(events)


@pytest.fixture
def service() -> Iterator[HttpService]:
    with http_service() as one:
        yield one


def delivered(view: Lineage, events: Sequence[Event]) -> int:
    """Apply until everything is taken; how often that was refused."""
    refusals = 0
    while view.place.seq < events[-1].seq:
        try:
            view.apply(events[view.place.seq :])
        except LabError:
            refusals += 1
    return refusals


def test_a_service_gets_every_event_in_order_and_again_until_it_takes_it(
    tmp_path: Path, events: list[Event], service: HttpService
) -> None:
    pick = random.Random(1)

    def answer(asked: Asked) -> Answer:
        assert asked.headers["authorization"] == "Bearer the-key"
        return Answer(status=pick.choice([401, 503, 404]) if pick.random() < 0.1 else 201)

    service.answers[PATH] = answer
    events = events[:80]
    view = opened(tmp_path, HttpSink(service.url + "/", "the-key", tmp_path / "refused.jsonl"))
    assert delivered(view, events) > 1
    got = [asked.body for asked in service.asked]
    assert list(dict.fromkeys(got)) == expected(events)
    assert not (tmp_path / "refused.jsonl").exists()


def test_what_a_service_calls_malformed_is_kept_and_the_others_go_on(
    tmp_path: Path, events: list[Event], service: HttpService
) -> None:
    events = events[:40]
    whole = expected(events)
    service.answers[PATH] = lambda asked: Answer(status=422 if asked.body == whole[3] else 200)
    assert delivered(opened(tmp_path, HttpSink(service.url, None, tmp_path / "refused.jsonl")), events) == 0
    assert [asked.body for asked in service.asked] == whole
    assert lines_of(tmp_path / "refused.jsonl") == [whole[3]]


def test_a_service_that_is_away_is_told_of_by_name(tmp_path: Path, events: list[Event], service: HttpService) -> None:
    service.answers[PATH] = [Answer(status=403)]
    with pytest.raises(LineageNotTaken, match="status 403"):
        opened(tmp_path, HttpSink(service.url, None, tmp_path / "refused.jsonl")).apply(events)
