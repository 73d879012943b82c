"""The events: written and read again they are the same, a part of one says nothing of the others, and older logs are read."""

import json
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.ledger.opening import open_core
from medkg_lab.ledger.reducer import fold
from medkg_lab.ledger.state import State
from medkg_lab.ledger.tables import TABLES
from medkg_lab.locations import locate
from medkg_lab.models import event_codec as codec
from medkg_lab.models.events import RECORDS, Event, EventData, EventType, Evidence, StageStarted, of_jobs
from medkg_lab.models.job import JobSpec
from medkg_lab.repro import archive as archives
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.workbench import Workbench

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ledger"
"""Written by commit c14f8a9: a ledger with every type of event that there was, a third of them in its archive, and two incidents,
one of a batch that had more jobs, one assembled from what another system left behind."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**53), 2**53)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: NUMBERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.dictionaries(TEXTS, TEXTS | NUMBERS, max_size=3).map(orjson.dumps),
    type(None): st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return st.one_of(map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=4).map(tuple)
    if origin is Mapping:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    return built(hint)


def built(record: Any, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records of this type, with any values but for the fields that are given."""
    hints = {name: hint for name, hint in get_type_hints(record).items() if get_origin(hint) is not ClassVar}
    plain = {name: values(hint) for name, hint in hints.items() if name not in given and hint is not ClassVar}
    return st.builds(record, **plain, **given)


def in_a_log(data: EventData) -> Event:
    """An event somewhere in a log."""
    return Event(7, "c~1", 1.5, data)


@pytest.mark.parametrize("kind", EventType)
@settings(max_examples=25, deadline=None)
@given(choice=st.data())
def test_what_is_written_is_read_again(kind: EventType, choice: st.DataObject) -> None:
    event = in_a_log(choice.draw(built(RECORDS[kind])))
    written = codec.encode(event)
    row = codec.to_row(written)
    assert codec.from_line(written.line) == codec.from_row(row) == codec.from_json(orjson.loads(written.line)) == event
    assert codec.line_of(row) == written.line
    assert codec.row_of(written.line) == row
    assert orjson.loads(orjson.dumps(codec.to_json(event))) == orjson.loads(written.line)


@pytest.mark.parametrize("kind", EventType)
@settings(max_examples=25, deadline=None)
@given(choice=st.data())
def test_a_part_of_an_event_has_no_byte_of_the_other_jobs(kind: EventType, choice: st.DataObject) -> None:
    names = [f"job-{n}-" for n in range(4)]
    data = choice.draw(about(kind, names))
    kept = choice.draw(st.sets(st.sampled_from(names)))
    part = of_jobs(data, kept)
    assert part.jobs == tuple(job for job in data.jobs if job in kept)
    written = codec.encode(in_a_log(part)).line.decode()
    assert [name for name in names if name not in kept and name in written] == []
    if kept >= set(names):
        assert part == data


def about(kind: EventType, names: list[str]) -> st.SearchStrategy[Any]:
    """Events about these jobs in which whatever is told of a job names it."""
    record = RECORDS[kind]
    hints = get_type_hints(record)
    if "entries" in hints:
        entry = values(get_args(hints["entries"])[0])
        entries = st.tuples(*(entry.map(partial(named, name=name)) for name in names))
        return built(record, entries=entries)
    return built(record, jobs=st.just(tuple(names))) if get_origin(hints.get("jobs")) is tuple else built(record)


def named(value: Any, name: str) -> Any:
    """The entry with the job's name in every text that it has."""
    if isinstance(value, str):
        return name
    if isinstance(value, bytes):
        return orjson.dumps({"key": name})
    if hasattr(value, "_fields"):
        return type(value)(*(named(each, name) for each in value))
    if hasattr(value, "__dataclass_fields__"):
        return type(value)(**{field: named(getattr(value, field), name) for field in value.__dataclass_fields__})
    return value


def test_what_is_wrong_is_named() -> None:
    good = orjson.loads(codec.encode(in_a_log(StageStarted("parse", ("a",), 1.0))).line)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**good, "type": "unheard.of"}, "unheard"),
        ({**good, "stage": None}, r"\$.stage"),
        ({**good, "jobs": [1]}, r"\$.jobs\[0\]"),
        ({**good, "data": {"t0": "late"}}, r"Expected `float`, got `str` - at `\$.t0`"),
        ({**good, "type": "job.completed", "data": {"unchanged": True, "content": []}}, "0 entries for 1 jobs"),
        ({**good, "type": "job.submitted", "data": {"specs": 7}}, "not a list"),
    ]
    for raw, text in wrong:
        with pytest.raises(codec.MalformedEvent, match=text):
            codec.from_json(raw)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded ledger."""
    folder = tmp_path_factory.mktemp("home")
    with zipfile.ZipFile(FIXTURES / "home.zip") as opened:
        opened.extractall(folder)
    return folder


def test_a_recorded_log_is_read_and_written_as_it_was(home: Path) -> None:
    lines = (home / "log.jsonl").read_bytes().splitlines()
    events = list(map(codec.from_line, lines))
    assert {event.type for event in events} == set(EventType) - {EventType.ACT_NOTED, EventType.DOCUMENT_DELETED}, (
        "newer"
    )
    for line, event in zip(lines, events, strict=True):
        before, now = orjson.loads(line), orjson.loads(codec.encode(event).line)
        absent = {name: value for name, value in before["data"].items() if name not in now["data"]}
        assert all(value is None or value == {} for value in absent.values())
        assert {**now, "data": {**absent, **now["data"]}} == before
        assert codec.line_of(codec.row_of(line)) == line


def test_a_recorded_ledger_with_its_archive_folds_to_the_same_tables(home: Path) -> None:
    core = open_core(home)
    events = [event for page in core.store.reader().all_after(0) for event in page]
    assert [codec.from_line(line) for line in (home / "log.jsonl").read_bytes().splitlines()] == events
    core.project()
    folded = State()
    for event in events:
        fold(folded, event)
    assert folded.seq == core.state.seq
    before = json.loads((home / "tables.json").read_text())
    for table in TABLES:
        if table.name in before:
            columns = ", ".join(f'"{name}"' for name in before[table.name]["columns"])
            rows = core.views.cursor().execute(f"SELECT {columns} FROM {table.name} ORDER BY ALL").fetchall()
            assert [list(row) for row in rows] == before[table.name]["rows"], table.name
    core.close()


@pytest.mark.parametrize("name", ["shared", "assembled"])
def test_a_recorded_incident_runs(tmp_path: Path, name: str) -> None:
    bench = Workbench.of(archives.read(FIXTURES / f"{name}.mklab"), locate(tmp_path))
    assert set(bench.run(ReplayOverrides()).states.values()) == {"completed"}


def test_evidence_without_a_document_says_only_what_is_known() -> None:
    assert codec.evidence_to_json(Evidence()) == {}
    assert codec.evidence_to_json(Evidence(document="d")) == {"document": "d", "missing_pages": ()}
    assert codec.evidence_to_json(Evidence(exchanges=("e",))) == {"exchanges": ("e",)}


def test_a_large_document_is_known_by_its_submission() -> None:
    fixed: dict[str, Any] = dict.fromkeys(JobSpec.__slots__, "")
    assert JobSpec(**{**fixed, "submission": b'{"content":{"size":524288}}'}).is_large
    assert not JobSpec(**{**fixed, "submission": b'{"content":{"size":524287}}'}).is_large
