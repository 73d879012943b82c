"""What a job is submitted with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from medkg_lab.ledger.errors import MalformedCommand

LARGE = 512 * 1024
"""Bytes of a document from which on its job shares a batch with no other: one that takes long holds nobody up."""
_SIZE = re.compile(rb'"size":(\d+)')
"""The size in a submission's JSON: of its fields by this name, only the content's is a number."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job was submitted with; `submission` is the submission's JSON text, `submitted_at` seconds since the epoch."""

    job_id: str
    tenant_id: str
    correlation_id: str
    source: str
    doc_key: str
    doc_id: str
    pipeline: str
    pipeline_version: str
    offline: bool
    again: bool
    priority: int
    segment: int
    lane: str
    half: int
    content: str | None
    submission: bytes
    submitted_at: float

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read a job spec as it travels. Raises MalformedCommand."""
        if set(raw) != _SPEC_TYPES.keys():
            odd = ", ".join(sorted(set(raw) ^ _SPEC_TYPES.keys()))
            raise MalformedCommand(op="submit", detail=f"a job spec has too many or too few keys: {odd}")
        for name, kinds in _SPEC_TYPES.items():
            if not isinstance(raw[name], kinds) or (isinstance(raw[name], bool) and bool not in kinds):
                raise MalformedCommand(op="submit", detail=f"{name} of a job spec cannot be {raw[name]!r:.80}")
        return cls(**{**raw, "submission": orjson.dumps(raw["submission"])})

    @property
    def is_large(self) -> bool:
        """Whether the submission says that its document is large; whoever says otherwise only gains less time."""
        found = _SIZE.search(self.submission)
        return found is not None and int(found[1]) >= LARGE

    def to_json(self) -> dict[str, Any]:
        """The spec as it travels."""
        values = {name: getattr(self, name) for name in _SPEC_TYPES}
        return {**values, "submission": orjson.Fragment(self.submission)}


_SPEC_TYPES: Mapping[str, tuple[type, ...]] = {
    "job_id": (str,),
    "tenant_id": (str,),
    "correlation_id": (str,),
    "source": (str,),
    "doc_key": (str,),
    "doc_id": (str,),
    "pipeline": (str,),
    "pipeline_version": (str,),
    "offline": (bool,),
    "again": (bool,),
    "priority": (int,),
    "segment": (int,),
    "lane": (str,),
    "half": (int,),
    "content": (str, type(None)),
    "submission": (dict,),
    "submitted_at": (int, float),
}
