"""How an event is written down and read: the only place that knows its JSON.

An event is `{seq, id, ts, type, stage, batch, jobs, data}`, in the log's table a column each. What `data` says of each job stands
in lists in the order of `jobs`: columns are smaller than objects, and readers of the topic and of the tables know them so. Values
are checked against the records' types when they are read (msgspec, see docs/decisions/0001-event-codec.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, cast

import msgspec
import orjson

from medkg_lab.errors import LabError
from medkg_lab.models.events import (
    RECORDS,
    STAGE_FIELDS,
    BatchExpired,
    Event,
    EventData,
    EventType,
    Evidence,
    GateOpened,
    ImportedJob,
    JobClaimed,
    JobCompleted,
    StageCompleted,
    stage_of,
)
from medkg_lab.models.job import JobSpec

T = TypeVar("T")

COLUMNS: Mapping[EventType, Mapping[str, str]] = {
    JobClaimed.type: {
        "doc_id": "docs",
        "tenant_id": "tenants",
        "correlation_id": "correlations",
        "attempt": "attempts",
        "execution": "executions",
    },
    BatchExpired.type: {"over": "over"},
    StageCompleted.type: {"ms": "ms", "items": "counts", "ref": "refs"},
    JobCompleted.type: {"content": "content"},
    GateOpened.type: {"version": "versions"},
}
"""The lists of an event's data by the field of an entry that they hold."""
ROWS: Mapping[EventType, str] = {EventType.JOB_SUBMITTED: "specs", EventType.JOB_IMPORTED: "entries"}
"""The list of an event's data that holds the entries as objects, which name their jobs themselves."""


class MalformedEvent(LabError, ValueError):
    """This is not an event that this version of the lab reads: {detail}. If a newer version wrote it, start that one again."""

    @property
    def detail(self) -> str:
        """What is wrong, without what to do about it."""
        return str(self.fields["detail"])


Row = tuple[int, str, float, str, str | None, str | None, str, str]
"""An event as the event table holds it: seq, id, ts, type, stage, batch, jobs as JSON, data as JSON."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event with its written forms: `jobs_json` and `data_json` are columns, `line` is the whole event as one JSON object."""

    event: Event
    jobs: tuple[str, ...]
    jobs_json: bytes
    data_json: bytes
    line: bytes


def encode(event: Event) -> Encoded:
    """Write `event` down once for all who read it."""
    named = event.jobs
    jobs, data = orjson.dumps(named), orjson.dumps(data_to_json(event.data))
    head = (event.seq, event.id, event.ts, event.type, event.stage, event.batch)
    return Encoded(event, named, jobs, data, _line(head, jobs, data))


def to_row(encoded: Encoded) -> Row:
    """The event table's row of an event."""
    event = encoded.event
    jobs, data = encoded.jobs_json.decode(), encoded.data_json.decode()
    return (event.seq, event.id, event.ts, event.type.value, event.stage, event.batch, jobs, data)


def from_row(row: Row) -> Event:
    """The event of a row of the event table. Raises MalformedEvent."""
    seq, id_, ts, kind, stage, batch, jobs, data = row
    return Event(seq, id_, ts, data_from_json(kind, stage, batch, orjson.loads(jobs), orjson.loads(data)))


def line_of(row: Row) -> bytes:
    """The event of a row as one JSON object, as it was written."""
    return _line(row[:6], row[6].encode(), row[7].encode())


def row_of(line: bytes) -> Row:
    """The row of an event that is one JSON object, as it was written. Raises ValueError, KeyError and TypeError."""
    event = orjson.loads(line)
    jobs, data = orjson.dumps(event["jobs"]).decode(), orjson.dumps(event["data"]).decode()
    seq, id_, ts, kind, stage, batch = (event[key] for key in _HEAD)
    return (seq, id_, ts, kind, stage, batch, jobs, data)


def from_line(line: bytes) -> Event:
    """The event of a line. Raises MalformedEvent."""
    try:
        return from_json(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        raise MalformedEvent(detail=f"it is not JSON: {error}") from None


def from_json(raw: Any) -> Event:
    """The event of its JSON object. Raises MalformedEvent."""
    head = _convert(raw, _Head)
    data = data_from_json(head.type, head.stage, head.batch, head.jobs, head.data)
    return Event(head.seq, head.id, head.ts, data)


def to_json(event: Event) -> dict[str, object]:
    """The JSON object of an event."""
    head = {"seq": event.seq, "id": event.id, "ts": event.ts, "type": event.type, "stage": event.stage}
    return {**head, "batch": event.batch, "jobs": event.jobs, "data": data_to_json(event.data)}


def draft_to_json(data: EventData) -> dict[str, object]:
    """The JSON object of what an engine tells of its batch: {type, stage, jobs, data}."""
    return {"type": data.type, "stage": stage_of(data), "jobs": data.jobs, "data": data_to_json(data)}


def draft_from_json(raw: Any, batch: str | None) -> EventData:
    """What an engine tells of `batch`. Raises MalformedEvent."""
    draft = _convert(raw, _Draft)
    return data_from_json(draft.type, draft.stage, batch, draft.jobs, draft.data)


_HEAD = ("seq", "id", "ts", "type", "stage", "batch")


class _Draft(msgspec.Struct, frozen=True):
    type: str
    jobs: tuple[str, ...]
    data: dict[str, object]
    stage: str | None = None


class _Head(msgspec.Struct, frozen=True):
    seq: int
    id: str
    ts: float
    type: str
    jobs: tuple[str, ...]
    data: dict[str, object]
    stage: str | None = None
    batch: str | None = None


def _line(head: Sequence[Any], jobs: bytes, data: bytes) -> bytes:
    named = dict(zip(_HEAD, head, strict=True))
    return orjson.dumps({**named, "jobs": orjson.Fragment(jobs), "data": orjson.Fragment(data)})


def _data_fields(kind: EventType) -> list[tuple[str, Any]]:
    """The fields that stand in `data`, each with the value that is not written, if it has one."""
    http = {"jobs", "batch", STAGE_FIELDS[kind]}
    found = []
    for field in fields(RECORDS[kind]):
        if field.name not in http:
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            found.append((field.name, default))
    return found


_FIELDS = {kind: _data_fields(kind) for kind in EventType}


def data_to_json(data: EventData) -> dict[str, object]:
    """What stands in `data` of an event."""
    kind = data.type
    made: dict[str, object] = {}
    for name, default in _FIELDS[kind]:
        value = getattr(data, name)
        if name == "entries":
            made |= _entries_to_json(kind, value)
        elif value != default:
            made[name] = evidence_to_json(value) if isinstance(value, Evidence) else value
    return made


def _entries_to_json(kind: EventType, entries: Sequence[Any]) -> dict[str, object]:
    if kind is EventType.JOB_SUBMITTED:
        return {ROWS[kind]: [spec_to_json(spec) for spec in entries]}
    if kind is EventType.JOB_IMPORTED:
        return {ROWS[kind]: [imported_to_json(entry) for entry in entries]}
    if kind is EventType.BATCH_EXPIRED and all(entry.over is None for entry in entries):
        return {}
    return {column: [getattr(entry, name) for entry in entries] for name, column in COLUMNS[kind].items()}


def imported_to_json(entry: ImportedJob) -> dict[str, object]:
    """A job of an older ledger as it travels."""
    return {**_plain(entry), "spec": spec_to_json(entry.spec)}


def imported_from_json(raw: Any) -> ImportedJob:
    """A job of an older ledger as it travels. Raises MalformedEvent."""
    entry, spec = _readable_import(raw)
    _refuse_more(entry, ImportedJob)
    _refuse_more(spec, JobSpec)
    return _convert(entry, ImportedJob)


def spec_to_json(spec: JobSpec) -> dict[str, object]:
    """What a job was submitted with as it travels."""
    return {**_plain(spec), "submission": orjson.Fragment(spec.submission)}


def spec_from_json(raw: Any) -> JobSpec:
    """What a job was submitted with as it travels. Raises MalformedEvent."""
    spec = _readable_spec(raw)
    _refuse_more(spec, JobSpec)
    return _convert(spec, JobSpec)


def evidence_to_json(evidence: Evidence) -> dict[str, object]:
    """What stands behind a field, without what is not known."""
    found = {name: value for name, value in _plain(evidence).items() if value not in (None, ())}
    return {**found, "missing_pages": evidence.missing_pages} if evidence.document else found


def evidence_from_json(raw: Any) -> Evidence:
    """What stands behind a field. Raises MalformedEvent."""
    _refuse_more(raw, Evidence)
    return _convert(raw, Evidence)


def data_from_json(
    kind: str, stage: str | None, batch: str | None, jobs: Sequence[str], data: Mapping[str, Any]
) -> EventData:
    """What an event says, of any version that is read. Raises MalformedEvent."""
    record = RECORDS.get(cast(EventType, kind))
    if record is None:
        raise MalformedEvent(detail=f"there is no event {kind!r:.80}")
    type_ = record.type
    values: dict[str, object] = upgraded(type_, jobs, data)
    if type_ in ROWS:
        values["entries"] = _rows_from_json(type_, jobs, values.get(ROWS[type_]))
    elif type_ in COLUMNS:
        values["entries"] = _columns_from_json(type_, jobs, values)
    else:
        values["jobs"] = jobs
    if (place := STAGE_FIELDS[type_]) is not None and (stage is not None or type_ is not EventType.JOB_FAILED):
        values[place] = stage
    values["batch"] = batch
    try:
        return msgspec.convert(values, record)
    except msgspec.ValidationError as error:
        raise MalformedEvent(detail=f"{kind}: {error}") from None


def _rows_from_json(kind: EventType, jobs: Sequence[str], raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise MalformedEvent(detail=f"{kind}: {ROWS[kind]} is not a list")
    if kind is EventType.JOB_SUBMITTED:
        rows = specs = [_readable_spec(each) for each in raw]
    else:
        rows, specs = map(list, zip(*map(_readable_import, raw), strict=True)) if raw else ([], [])
    if [spec.get("job_id") for spec in specs] != list(jobs):
        raise MalformedEvent(detail=f"{kind}: {ROWS[kind]} is not about the jobs that it names")
    return rows


def _columns_from_json(kind: EventType, jobs: Sequence[str], data: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    columns = COLUMNS[kind]
    lists = [data.get(column) for column in columns.values()]
    for column, values in zip(columns.values(), lists, strict=True):
        if not isinstance(values, list):
            raise MalformedEvent(detail=f"{kind}: {column} is not a list")
        if len(values) != len(jobs):
            raise MalformedEvent(detail=f"{kind}: {column} has {len(values)} entries for {len(jobs)} jobs")
    return list(zip(jobs, *lists, strict=True))


def upgraded(kind: EventType, jobs: Sequence[str], data: Mapping[str, Any]) -> dict[str, object]:
    """The data of an event as this version writes it, from that of any older one: what it did not tell is filled in."""
    match kind:
        case EventType.JOB_CLAIMED:
            # Archives that were assembled from what another system left behind told these of no claim.
            known = {"docs": list(jobs), "tenants": ["default"] * len(jobs), "correlations": list(jobs)}
            stamps = dict.fromkeys(("profile", "profile_version", "policies_version"))
            return {**stamps, **known, "executions": [1] * len(jobs), **data}
        case EventType.STAGE_COMPLETED:
            nothing = [None] * len(jobs)
            return {"ms": nothing, "counts": nothing, "refs": nothing, "device": None, **data}
        case EventType.BATCH_EXPIRED:
            return {"over": [None] * len(jobs), **data}
        case EventType.JOB_COMPLETED:
            return {"content": [None] * len(jobs), **data}
        case EventType.JOB_DEAD:
            return {"own": None, **data}
        case _:
            return dict(data)


def _readable_spec(raw: Any) -> dict[str, object]:
    if not isinstance(raw, dict) or not isinstance(raw.get("submission"), dict):
        raise MalformedEvent(detail="a job spec has no submission")
    try:
        return {**raw, "submission": orjson.dumps(raw["submission"])}
    except TypeError as error:
        raise MalformedEvent(detail=f"the submission of a job spec: {error}") from None


def _readable_import(raw: Any) -> tuple[dict[str, object], dict[str, object]]:
    """The entry, and the spec in it."""
    if not isinstance(raw, dict):
        raise MalformedEvent(detail="an entry is not an object")
    spec = _readable_spec(raw.get("spec"))
    return {**raw, "spec": spec}, spec


def _refuse_more(raw: Mapping[str, Any], kind: type) -> None:
    """Refuse what a command says beyond what is kept: it would vanish without a word."""
    if more := raw.keys() - set(kind.__slots__):  # type: ignore[attr-defined]
        raise MalformedEvent(detail=f"{kind.__name__} has no {', '.join(sorted(more))}")


def _plain(record: Any) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}


def _convert(raw: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise MalformedEvent(detail=str(error)) from None
