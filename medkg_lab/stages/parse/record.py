"""Tolerant access to a JSON record: every value knows its path, and anything may be missing or of another type."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from medkg_lab.models.documents import Place
from medkg_lab.stages.parse.errors import MalformedJson, TooLarge
from medkg_lab.stages.parse.text import squeeze, unescape_markdown, words

MAX_BYTES = 64 * 1024 * 1024
_ENUMERATION = re.compile(r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$")
_ENUMERATED = words(
    """overallStatus lastKnownStatus statusForNctId class type phases studyType allocation interventionModel primaryPurpose
    observationalModel timePerspective masking whoMasked retention sex stdAges samplingMethod ipdSharing infoTypes role status
    paramType dispersionType nonInferiorityType ciNumSides restrictionType reportingStatus assessmentType"""
)
"""The fields whose values come from the registry's closed lists; elsewhere capitals are an abbreviation, such as COPD."""

_NAMED = {"NA": "Not applicable", "ALL": "All", "EARLY_PHASE1": "Early phase 1"}


def parse_json(data: bytes) -> Any:
    """The JSON value in `data`. Raises TooLarge or MalformedJson; nesting past 1024 levels is malformed."""
    if len(data) > MAX_BYTES:
        raise TooLarge(size=len(data), limit=MAX_BYTES)
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise MalformedJson(
            detail=error.msg.rpartition(": line")[0] or error.msg, line=error.lineno, column=error.colno
        ) from None


@dataclass(frozen=True)
class Record:
    """A value within a JSON document and the path that leads to it (`a.b[0].c`); `raw` is None where there is none."""

    raw: Any
    path: str = ""

    def find(self, keys: str) -> "Record":
        """The value under a dotted path of keys."""
        value, path = self.raw, self.path
        for key in keys.split("."):
            value = value.get(key) if isinstance(value, dict) else None
            path = f"{path}.{key}" if path else key
        return Record(value, path)

    def each(self) -> Iterator["Record"]:
        """The items of a list; nothing when it is not a list."""
        for number, item in enumerate(self.raw if isinstance(self.raw, list) else ()):
            yield Record(item, f"{self.path}[{number}]")

    def __bool__(self) -> bool:
        return self.raw not in (None, "", [], {})

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return Place(element=self.path)

    @property
    def text(self) -> str:
        """The value on one line, markdown escapes undone; numbers and truth values in words, "" for anything else."""
        return squeeze(self.lines)

    @property
    def lines(self) -> str:
        """The value with its line breaks."""
        if isinstance(self.raw, bool):
            return "Yes" if self.raw else "No"
        if isinstance(self.raw, int | float):
            return str(self.raw)
        return unescape_markdown(self.raw) if isinstance(self.raw, str) else ""

    @property
    def words(self) -> str:
        """The value, or a list's values; the registry's enumerations become words: `EARLY_PHASE1` is `Early phase 1`."""
        if isinstance(self.raw, list):
            return ", ".join(filter(None, (item.words for item in self.each())))
        return _enumeration(self.text) if self._key in _ENUMERATED else self.text

    @property
    def _key(self) -> str:
        return self.path.rpartition(".")[2].partition("[")[0]


def _enumeration(text: str) -> str:
    if text in _NAMED:
        return _NAMED[text]
    if not _ENUMERATION.match(text):
        return text
    return re.sub(r"(?i)\bphase(\d)", r"phase \1", text.replace("_", " ").lower()).capitalize()
