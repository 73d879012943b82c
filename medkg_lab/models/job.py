"""What a job is submitted to the ledger with."""

import re
from dataclasses import dataclass

LARGE_BYTES = 512 * 1024
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

    @property
    def is_large(self) -> bool:
        """Whether the submission says that its document is large; whoever says otherwise only gains less time."""
        found = _SIZE.search(self.submission)
        return found is not None and int(found[1]) >= LARGE_BYTES
