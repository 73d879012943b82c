"""Entries of the job ledger that came before pipelines had names: what they become here. Pure.

The fields that were added later, their defaults, and how the pipeline is inferred are those of the published migration of that
ledger: `pdf_downloaded`, `pdf_ir_ready` and `post_pdf_started` false, `current_stage` null, `retry_count_per_stage` empty, and
`pipeline_name` "auto", or "pdf-two-phase" for what has a `pdf_url` or comes from a data set of PDFs.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, Json, field_validator, model_validator

from medkg_lab.ledger.state import JobState
from medkg_lab.models.events import ImportedJob
from medkg_lab.models.job import JobSpec

AUTO = "auto"
TWO_PHASE = "pdf-two-phase"
PDF_DATASETS = frozenset({"pmc-fulltext", "unpaywall", "core"})
SOURCES = {"pmc-fulltext": "pmc", "pmc_fulltext": "pmc"}
"""Data sets whose source has another name here."""
FLAGS = ("pdf_downloaded", "pdf_ir_ready", "post_pdf_started")
KEYS = ("doc_key", "document_id", "doc_id", "key")
"""Where an entry may name its document."""
METADATA_KEYS = ("doc_key", "document_id", "nct_id", "pmcid", "doi", "id")

_STATES = {
    JobState.QUEUED: ("queued", "pending", "submitted", "processing", "running", "in_progress", "retrying", "waiting"),
    JobState.COMPLETED: ("completed", "complete", "succeeded", "success", "done"),
    JobState.FAILED: ("failed", "error"),
    JobState.DEAD: ("dead", "dead_letter"),
    JobState.CANCELLED: ("cancelled", "canceled"),
}
STATES: Mapping[str, JobState] = {name: state for state, names in _STATES.items() for name in names}


class LegacyEntry(BaseModel):
    """One job, with or without the fields that were added later."""

    model_config = ConfigDict(extra="allow", frozen=True)

    job_id: str = Field(min_length=1, max_length=200)
    tenant_id: str = "default"
    correlation_id: str | None = None
    dataset: str = Field(min_length=1, max_length=64)
    document: str = Field(min_length=1, max_length=1024)
    status: JobState = JobState.QUEUED
    metadata: dict[str, object] = Field(default_factory=dict)
    pipeline_name: str = AUTO
    current_stage: str | None = None
    pdf_downloaded: bool = False
    pdf_ir_ready: bool = False
    post_pdf_started: bool = False
    retry_count_per_stage: dict[str, int] = Field(default_factory=dict)
    error: str | None = None
    created_at: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise ValueError("an entry is an object")
        values = {name: value for name, value in raw.items() if value is not None}
        for name in ("metadata", "retry_count_per_stage", "item"):
            if isinstance(values.get(name), str):
                values[name] = _parsed(values[name])
        metadata = {**_mapping(values.get("item")), **_mapping(values.get("metadata"))}
        values["metadata"] = metadata
        values.setdefault("dataset", values.get("source"))
        named = [values.get(name) for name in KEYS] + [metadata.get(name) for name in METADATA_KEYS]
        values["document"] = next((str(name) for name in named if name), "")
        values.setdefault("pipeline_name", inferred_pipeline(metadata, str(values["dataset"])))
        values.setdefault("error", values.get("error_reason"))
        return values

    @field_validator("status", mode="before")
    @classmethod
    def _known_status(cls, value: Any) -> Any:
        state = STATES.get(str(value).lower())
        if state is None:
            raise ValueError(f"{value!r:.40} is none of {', '.join(STATES)}")
        return state

    @field_validator("created_at", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        return value

    @property
    def source(self) -> str:
        """The source that the data set is here."""
        return SOURCES.get(self.dataset, self.dataset)

    def imported(self, spec: JobSpec, now: float) -> ImportedJob:
        """The entry as the ledger takes it in.

        A job that was not finished starts anew, so what stood of its PDF does not hold for it: those files are elsewhere.
        """
        finished = self.status is not JobState.QUEUED
        return ImportedJob(
            spec=spec,
            state=self.status.value,
            stage=self.current_stage if finished else None,
            fields={name: finished and getattr(self, name) for name in FLAGS},
            retries=dict(self.retry_count_per_stage),
            reason=self.error,
            created_at=now if self.created_at is None else self.created_at,
        )


def inferred_pipeline(metadata: Mapping[str, object], dataset: str) -> str:
    """The pipeline of an entry that names none."""
    return TWO_PHASE if "pdf_url" in metadata or dataset in PDF_DATASETS else AUTO


class _Text(BaseModel):
    value: Json[Any]


def _parsed(text: str) -> Any:
    return _Text.model_validate({"value": text}).value


def _mapping(value: Any) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"metadata is an object, not {value!r:.40}")
    return value
