"""ClinicalTrials.gov studies as sources deliver them: one study (API v2), a bare array of them, or a page of the API.

Files that passed through a data frame have another shape: every value in a list of its own (R's jsonlite), or the rows under
their numbers (pandas). Both are brought back to studies.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

MEDIA_TYPE = "application/json"
NCT_ID = re.compile(r"NCT\d{1,12}")
_LISTS = frozenset(
    {
        "armGroupLabels",
        "conditions",
        "groupIds",
        "infoTypes",
        "interventionNames",
        "keywords",
        "nctIdAliases",
        "otherNames",
        "phases",
        "removedCountries",
        "stdAges",
        "whoMasked",
    }
)
"""The fields of the study data structure that are lists of plain values."""
_OBJECTS = re.compile(
    r".*(?:Module|Section|Struct)|organization|leadSponsor|designInfo|maskingInfo|enrollmentInfo|orgStudyIdInfo"
    r"|responsibleParty|expandedAccessInfo|expandedAccessTypes|bioSpec|geoPoint"
)
"""The fields that are one object."""


class ColumnWise(ValueError):
    """A study whose fields hold the values of several; the text says how many."""


def is_study(value: Any) -> bool:
    """Whether `value` is a study in the API's version 2 form: an object with a `protocolSection`."""
    return isinstance(value, dict) and isinstance(_only(value.get("protocolSection")), dict)


def study_key(study: Mapping[str, object]) -> str:
    """The study's NCT id, or an empty string when it has none."""
    try:
        protocol = unwrapped(study).get("protocolSection")
    except ColumnWise:
        return ""
    module = protocol.get("identificationModule") if isinstance(protocol, dict) else None
    found = module.get("nctId") if isinstance(module, dict) else None
    return found if isinstance(found, str) and NCT_ID.fullmatch(found) else ""


def unwrapped(study: Mapping[str, object]) -> Mapping[str, object]:
    """`study` with its values out of the lists that a data frame put around each; itself when there are none.

    Raises ColumnWise when a field that has one value in every study has several.
    """
    protocol = study.get("protocolSection")
    module = _only(protocol).get("identificationModule") if isinstance(_only(protocol), dict) else None
    names = _only(module)
    own = names if isinstance(names, dict) else {}
    plain = [own.get("nctId"), own.get("briefTitle"), own.get("officialTitle")]
    many = max((len(one) for one in (protocol, module, *plain) if isinstance(one, list)), default=0)
    if not many:
        return study
    if many > 1:
        raise ColumnWise(f"it holds {many} studies column by column")
    return {key: _value(key, value) for key, value in study.items()}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _value(name, inner) for name, inner in value.items()}
    if not isinstance(value, list):
        return value
    items = [_value("", item) for item in value]
    if key in _LISTS or len(items) != 1 or isinstance(items[0], list):
        return items
    return items[0] if not isinstance(items[0], dict) or _OBJECTS.fullmatch(key) else items


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def members(value: Any) -> list[Any] | None:
    """The items of a bare array, of an API page `{"studies": [...]}` or of numbered rows that hold at least one study.

    None for all else.
    """
    items = value
    if isinstance(value, dict):
        items = value.get("studies") if "protocolSection" not in value else None
        items = _numbered(value) if items is None else items
    if not isinstance(items, list) or not any(map(is_study, items)):
        return None
    return items


def _numbered(value: Mapping[str, object]) -> list[Any] | None:
    """The rows of a data frame written by pandas: row numbers outside (`index`), or inside each section (`columns`)."""
    if value and all(map(str.isdecimal, value)):
        return list(value.values())
    protocols = value.get("protocolSection")
    if not isinstance(protocols, dict) or not protocols or not all(map(str.isdecimal, protocols)):
        return None
    sections = {name: rows for name, rows in value.items() if isinstance(rows, dict)}
    return [
        {name: rows[number] for name, rows in sections.items() if rows.get(number) is not None} for number in protocols
    ]


def serialise(item: Any) -> bytes:
    """One member of an array as a document of its own; the same member always gives the same bytes."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
