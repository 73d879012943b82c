"""Whether what an archive says can be read at all: checked as a whole before any of it is written or run. Pure."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from medkg_lab.ledger.events import EventType
from medkg_lab.models.submission import SHA256, Submission
from medkg_lab.repro import history
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.order import OutOfOrder, check_members, check_order
from medkg_lab.repro.slices import artifacts_in
from medkg_lab.resilience.policies import Policies
from medkg_lab.settings import PdfSettings
from medkg_lab.topology.models import Topology
from medkg_lab.topology.profiles import Profile

Hash = Annotated[str, Field(pattern=SHA256)]


class _EventLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seq: int
    id: str
    ts: float = Field(ge=0, lt=1e11)
    type: EventType
    stage: str | None
    batch: str | None
    jobs: list[str]
    data: dict[str, Any]


class _ExchangeLine(BaseModel):
    key: Hash
    method: str
    url: str
    ms: float = Field(ge=0, lt=1e9)
    status: int | None
    headers: dict[str, str]
    body: Hash
    asked: Hash | Annotated[str, Field(max_length=0)]
    size: int
    kept: bool
    error: str
    error_fields: dict[str, str | float | None]
    labels: dict[str, str | int]


class _DefinitionLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    version: str
    seq: int
    content: str


_CONTENTS: dict[str, Callable[[str], Any]] = {
    "topology": Topology.model_validate_json,
    "policies": Policies.model_validate_json,
    "profile": Profile.model_validate_json,
}
_SETTINGS = TypeAdapter(dict[str, Any])


def objection(archive: Archive) -> str | None:
    """Why the contents of `archive` cannot be used, or None."""
    for name, data in archive.members.items():
        try:
            _check(name, data)
        except ValidationError as error:
            first = error.errors()[0]
            return f"{name} is wrong: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (KeyError, TypeError, ValueError) as error:
            return f"{name} is wrong: {type(error).__name__}: {error}"
    try:
        _check_whole(archive)
    except OutOfOrder as error:
        return f"{names.EVENTS} cannot be run again: {error}"
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return f"{names.EVENTS} is wrong: {type(error).__name__}: {error}"
    return None


def _check_whole(archive: Archive) -> None:
    """What the parts must have in common: events in order, about the jobs of the manifest, naming what is there."""
    told = [orjson.loads(line) for line in archive.members.get(names.EVENTS, b"").splitlines()]
    prefix = f"{names.DEFINITIONS}topology/"
    topologies = [orjson.loads(data) for name, data in archive.members.items() if name.startswith(prefix)]
    jobs = [job.job_id for job in archive.manifest.jobs]
    check_order(told, jobs, [(one["name"], one["version"]) for one in topologies], archive.manifest.origin == "export")
    history.read(told)
    exchanged = [orjson.loads(line) for line in archive.members.get(names.EXCHANGES, b"").splitlines()]
    bodies = [
        one[part] for one in exchanged if one["kept"] for part in ("asked", "body") if one["size"] or part == "asked"
    ]
    wanted = [*artifacts_in(told), *filter(None, bodies)]
    blobs = [name.removeprefix(names.ARTIFACTS) for name in archive.members if name.startswith(names.ARTIFACTS)]
    check_members(wanted, blobs, archive.manifest.missing)


def _check(name: str, data: bytes) -> None:
    if name == names.EVENTS:
        for line in data.splitlines():
            _check_event(_EventLine.model_validate_json(line))
    elif name == names.EXCHANGES:
        for line in data.splitlines():
            _ExchangeLine.model_validate_json(line)
    elif name == names.SETTINGS:
        PdfSettings.model_validate(_SETTINGS.validate_json(data).get("pdf", {}))
    elif name.startswith(names.DEFINITIONS):
        definition = _DefinitionLine.model_validate_json(data)
        _CONTENTS[name.split("/")[1]](definition.content)


def _check_event(event: _EventLine) -> None:
    """The keys that a run reads of an event."""
    count = len(event.jobs)
    match event.type:
        case EventType.JOB_SUBMITTED:
            for spec in event.data["specs"]:
                Submission.model_validate(spec["submission"])
                _need(spec, job_id=str, doc_id=str, tenant_id=str, correlation_id=str, pipeline=str, segment=int)
                _need(spec, pipeline_version=str, offline=bool, again=bool)
        case EventType.JOB_CLAIMED:
            _need(event.data, pipeline=str, pipeline_version=str, segment=int, stages=list, attempts=list)
            if len(event.data["attempts"]) != count or event.batch is None:
                raise ValueError("a claim has one attempt per job, and a batch")
        case EventType.STAGE_COMPLETED:
            _need(event.data, kind=str, refs=list, counts=list, implementation=str, t0=(int, float))
            if len(event.data["refs"]) != count or len(event.data["counts"]) != count:
                raise ValueError("a completed stage has one output per job")
        case EventType.STAGE_STARTED:
            _need(event.data, t0=(int, float))
        case EventType.STAGE_RETRYING:
            _need(event.data, attempt=int, kind=str, reason=str)
        case _:
            pass


def _need(values: dict[str, Any], **kinds: Any) -> None:
    for key, kind in kinds.items():
        if not isinstance(values[key], kind):
            raise TypeError(f"{key} is a {type(values[key]).__name__}")
