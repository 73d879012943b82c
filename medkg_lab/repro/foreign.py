"""What another system left behind, read leniently: CloudEvents in either mode, and a converter's output folder."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.formats.json import JSONFormat

from medkg_lab.events.cloudevents import UNREADABLE
from medkg_lab.files import read_regular, read_text
from medkg_lab.repro.errors import NotAssembled

PREFIX = "org.medicalkg.orchestration."
_CE = ("ce_", "ce-")
_NAME = re.compile("[a-z0-9]+")
"""What an attribute's name may be; others, such as `job_id`, are no part of the specification."""
_MAX_BYTES = 512 * 1024 * 1024
_OUTPUTS = ("*middle*.json", "*content_list_v2*.json", "*content_list*.json", "*pdf_info*.json", "*.json")
"""The files of a converter's folder, what says most first."""


@dataclass(frozen=True)
class StageEvent:
    """What a CloudEvent says: `kind` is its type without the prefix, `ts` seconds since the epoch."""

    kind: str
    job_id: str | None
    doc_id: str | None
    stage: str | None
    ts: float
    data: Mapping[str, Any]


def cloud_events(path: Path) -> Iterator[StageEvent]:
    """The CloudEvents in a file of JSON lines: structured, or as a topic's records were dumped in binary mode.

    Records as kcat's `-J` writes them (headers as a flat list, `payload`), or with headers as pairs or an object and `value`.
    Lines that are no event of the orchestration are passed over. Raises NotAssembled for what is not JSON, and for an event of
    the orchestration that the CloudEvents SDK refuses.
    """
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise NotAssembled(path=path, detail=f"line {number} is not JSON: {error}") from None
        try:
            given = _non_empty(value) if isinstance(value, dict) else {}
            if str(given.get("type", "")).startswith(PREFIX):
                yield _event(JSONFormat().read(None, json.dumps(given)))
        except UNREADABLE as error:
            raise NotAssembled(path=path, detail=f"line {number} is not a CloudEvent: {error}") from None


def _event(event: BaseCloudEvent) -> StageEvent:
    attributes, data = event.get_attributes(), event.get_data()
    said = _object(data)
    job = said.get("job_id") or attributes.get("jobid") or attributes.get("partitionkey")
    stage = said.get("stage") or event.get_source().rpartition("/")[2] or None
    moment = seconds(said["timestamp"]) if said.get("timestamp") else _seconds(event.get_time())
    return StageEvent(
        event.get_type().removeprefix(PREFIX),
        _maybe(job),
        _maybe(event.get_subject()),
        _maybe(stage),
        moment,
        {**said, **_small(attributes)},
    )


def _non_empty(value: dict[str, object]) -> dict[str, object]:
    """The CloudEvent that a line holds, in the JSON format; what a lenient writer skipped or wrote otherwise is put right."""
    headers = _headers(value.get("headers"))
    attributes: dict[str, object] = {
        name[3:].lower(): one for name, one in headers.items() if name.lower().startswith(_CE)
    }
    body = _body(value.get("payload", value.get("value")))
    if attributes:
        attributes["data"] = body
    else:
        inner = body if isinstance(body, dict) and "type" in body else value
        attributes = {str(name).lower(): one for name, one in inner.items()}
    made: dict[str, object] = {
        name: str(one) for name, one in attributes.items() if one not in (None, "") and _NAME.fullmatch(name)
    }
    made |= {name: attributes[name] for name in ("data", "data_base64") if name in attributes}
    # The SDK would put the present moment for a missing one.
    made["time"] = datetime.fromtimestamp(seconds(attributes.get("time")), UTC).isoformat()
    return {"source": "/", **made}


def _object(data: Any) -> dict[str, object]:
    """The object that an event's data is, or holds as text; an empty one for anything else."""
    if isinstance(data, str | bytes):
        try:
            data = json.loads(data)
        except ValueError:
            return {}
    return data if isinstance(data, dict) else {}


def _small(attributes: Mapping[str, Any]) -> dict[str, object]:
    """The attributes that say more than the data does."""
    return {name: attributes[name] for name in ("pipeline", "pipelineversion", "tenantid") if name in attributes}


def _headers(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(name): str(one) for name, one in value.items()}
    if not isinstance(value, list):
        return {}
    if value and isinstance(value[0], list | tuple):
        return {str(pair[0]): str(pair[1]) for pair in value if len(pair) == 2}
    return {str(name): str(one) for name, one in zip(value[::2], value[1::2], strict=False)}


def _body(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _maybe(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def seconds(value: Any) -> float:
    """A moment as seconds since the epoch; 0 for what is none. Without a time zone it is UTC, as that system writes it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def converter_output(folder: Path) -> tuple[str, bytes]:
    """The name and bytes of the JSON that a converter left in `folder`, or of `folder` if it is a file. Raises NotAssembled."""
    if folder.is_file():
        try:
            return folder.name, read_regular(folder, _MAX_BYTES)
        except OSError as error:
            raise NotAssembled(path=folder, detail=error.strerror or error) from None
    for pattern in _OUTPUTS:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file() and path.stat().st_size <= _MAX_BYTES:
                return path.name, read_regular(path, _MAX_BYTES)
    raise NotAssembled(path=folder, detail="there is no JSON of a converter in it")


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise NotAssembled(path=path, detail=str(error)) from None
