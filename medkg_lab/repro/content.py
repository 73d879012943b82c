"""Whether what an archive says can be read at all: checked as a whole before any of it is written or run. Pure."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from medkg_lab.models import event_codec
from medkg_lab.models.events import Event, JobSubmitted
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
from medkg_lab.validation import first_flaw

Hash = Annotated[str, Field(pattern=SHA256)]


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
_SETTINGS = TypeAdapter(dict[str, object])
_MAX_TIME_S = 1e11
"""Seconds since the epoch from which on a time can be shown nowhere."""


def objection(archive: Archive) -> str | None:
    """Why the contents of `archive` cannot be used, or None."""
    for name, data in archive.members.items():
        try:
            _check(name, data)
        except ValidationError as error:
            return f"{name} is wrong: {first_flaw(error.errors()).text()}"
        except event_codec.MalformedEvent as error:
            return f"{name} is wrong: {error.detail}"
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
    told = [event_codec.from_line(line) for line in archive.members.get(names.EVENTS, b"").splitlines()]
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
            _check_event(event_codec.from_line(line))
    elif name == names.EXCHANGES:
        for line in data.splitlines():
            _ExchangeLine.model_validate_json(line)
    elif name == names.SETTINGS:
        PdfSettings.model_validate(_SETTINGS.validate_json(data).get("pdf", {}))
    elif name.startswith(names.DEFINITIONS):
        definition = _DefinitionLine.model_validate_json(data)
        _CONTENTS[name.split("/")[1]](definition.content)


def _check_event(event: Event) -> None:
    """What a run reads of an event beyond its form."""
    if not 0 <= event.ts < _MAX_TIME_S:
        raise ValueError(f"{event.ts} is not a moment")
    if isinstance(event.data, JobSubmitted):
        for spec in event.data.entries:
            Submission.model_validate_json(spec.submission)
