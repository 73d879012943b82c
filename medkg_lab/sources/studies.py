"""ClinicalTrials.gov studies as sources deliver them: one study (API v2), a bare array of them, or a page of the API."""

import re
from typing import Any

import orjson

MEDIA_TYPE = "application/json"
NCT_ID = re.compile(r"NCT\d{1,12}")


def is_study(value: Any) -> bool:
    """Whether `value` is a study in the API's version 2 form: an object with a `protocolSection`."""
    return isinstance(value, dict) and isinstance(value.get("protocolSection"), dict)


def study_key(study: dict[str, Any]) -> str:
    """The study's NCT id, or an empty string when it has none."""
    module = study["protocolSection"].get("identificationModule")
    found = module.get("nctId") if isinstance(module, dict) else None
    return found if isinstance(found, str) and NCT_ID.fullmatch(found) else ""


def members(value: Any) -> list[Any] | None:
    """The items of a bare array or of an API page `{"studies": [...]}` that holds at least one study; None for all else."""
    items = value.get("studies") if isinstance(value, dict) and "protocolSection" not in value else value
    if not isinstance(items, list) or not any(map(is_study, items)):
        return None
    return items


def serialise(item: Any) -> bytes:
    """One member of an array as a document of its own; the same member always gives the same bytes."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
