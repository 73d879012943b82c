"""The registry's CSV download: one study a row, brought into the form of the API's version 2.

Columns of ClinicalTrials.gov's download since 2023, and of the classic site before; several values stand between `|`. A row holds
a part of what the API gives.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from medkg_lab.sources.studies import NCT_ID

_ID_COLUMN = "NCT Number"
_MAX_FIELD_BYTES = 4 * 1024 * 1024
_INTERVENTION = re.compile(r"([A-Z][A-Za-z_ /]{2,40}):\s*(.+)", re.DOTALL)
_DESIGN = {
    "allocation": "allocation",
    "intervention model": "interventionModel",
    "observational model": "observationalModel",
    "time perspective": "timePerspective",
    "primary purpose": "primaryPurpose",
}


class NotRegistryCsv(ValueError):
    """A table that is not the registry's; the text says why."""


def is_registry_csv(head: str) -> bool:
    """Whether a text begins with the header line of the registry's download."""
    line = head.lstrip("\ufeff").partition("\n")[0]
    return _ID_COLUMN.lower() in {cell.strip().strip('"').lower() for cell in re.split(r"[,\t;]", line)}


def studies_in(text: str) -> Iterator[tuple[str, dict[str, object] | str]]:
    """NCT id and study of each row; for a row without an id, an empty id and the row's text. Raises NotRegistryCsv."""
    text = text.lstrip("\ufeff")
    line = text.partition("\n")[0]
    separator = max(",\t;", key=line.count)
    csv.field_size_limit(_MAX_FIELD_BYTES)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in rows:
            cells = {(name or "").strip().lower(): (value or "").strip() for name, value in row.items() if name}
            key = cells.get(_ID_COLUMN.lower(), "").upper()
            if NCT_ID.fullmatch(key):
                yield key, {"protocolSection": _protocol(key, cells), "hasResults": _has_results(cells)}
            elif any(cells.values()):
                yield "", separator.join(cells.values())
    except csv.Error as error:
        raise NotRegistryCsv(str(error)) from None


def _has_results(cells: Mapping[str, str]) -> bool:
    return cells.get("study results", "").lower() in ("yes", "has results", "true")


def _protocol(key: str, cells: Mapping[str, str]) -> dict[str, object]:
    sponsor, _, others = cells.get("sponsor/collaborators", "").partition("|")
    modules: dict[str, object] = {
        "identificationModule": {
            "nctId": key,
            "briefTitle": cells.get("study title") or cells.get("title"),
            "acronym": cells.get("acronym"),
            "secondaryIdInfos": [{"id": one} for one in _values(cells.get("other ids"))],
        },
        "statusModule": {
            "overallStatus": _constant(cells.get("study status") or cells.get("status")),
            **_dates(cells),
        },
        "sponsorCollaboratorsModule": {
            "leadSponsor": {"name": cells.get("sponsor") or sponsor},
            "collaborators": [{"name": one} for one in _values(cells.get("collaborators") or others)],
        },
        "descriptionModule": {"briefSummary": cells.get("brief summary")},
        "conditionsModule": {"conditions": _values(cells.get("conditions"))},
        "designModule": _design(cells),
        "armsInterventionsModule": {
            "interventions": [_intervention(one) for one in _values(cells.get("interventions"))]
        },
        "outcomesModule": {
            name: [{"measure": one} for one in _values(cells.get(column))]
            for name, column in (
                ("primaryOutcomes", "primary outcome measures"),
                ("secondaryOutcomes", "secondary outcome measures"),
                ("otherOutcomes", "other outcome measures" if "sponsor" in cells else "outcome measures"),
            )
        },
        "eligibilityModule": {
            "sex": _constant(cells.get("sex") or cells.get("gender")),
            "stdAges": [_constant(one) for one in re.split(r"[,|]", cells.get("age", "")) if one.strip().isupper()],
        },
        "contactsLocationsModule": {"locations": [_location(one) for one in _values(cells.get("locations"))]},
    }
    filled: dict[str, object] = _filled(modules)
    return filled


def _dates(cells: Mapping[str, str]) -> dict[str, object]:
    columns = {
        "startDateStruct": "start date",
        "primaryCompletionDateStruct": "primary completion date",
        "completionDateStruct": "completion date",
        "studyFirstPostDateStruct": "first posted",
        "resultsFirstPostDateStruct": "results first posted",
        "lastUpdatePostDateStruct": "last update posted",
    }
    return {name: {"date": cells.get(column)} for name, column in columns.items()}


def _design(cells: Mapping[str, str]) -> dict[str, object]:
    count = cells.get("enrollment", "")
    info: dict[str, object] = {}
    for part in _values(cells.get("study design") or cells.get("study designs")):
        label, _, value = part.partition(":")
        if name := _DESIGN.get(label.strip().lower()):
            info[name] = _constant(value)
        elif label.strip().lower() == "masking":
            info["maskingInfo"] = {"masking": _constant(value.partition("(")[0])}
    return {
        "studyType": _constant(cells.get("study type")),
        "phases": [_constant(one) for one in _values(cells.get("phases"))],
        "enrollmentInfo": {"count": int(count) if count.isdecimal() else None},
        "designInfo": info,
    }


def _intervention(text: str) -> dict[str, str]:
    found = _INTERVENTION.fullmatch(text)
    return {"type": _constant(found[1]), "name": found[2].strip()} if found else {"name": text}


def _location(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.split(",")]
    return {"facility": ", ".join(parts[:-1]) or text, "country": parts[-1] if len(parts) > 1 else ""}


def _values(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split("|") if one.strip()]


def _constant(text: str | None) -> str:
    """A value of the registry's closed lists: `Phase 2` is `PHASE2`, `Not yet recruiting` is `NOT_YET_RECRUITING`."""
    words = re.findall(r"[A-Za-z0-9]+", text or "")
    return re.sub(r"PHASE_(\d)", r"PHASE\1", "_".join(words).upper())


def _filled(value: Any) -> Any:
    """`value` without what is empty."""
    if isinstance(value, dict):
        kept = {key: _filled(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {})}
    return [_filled(item) for item in value] if isinstance(value, list) else value
