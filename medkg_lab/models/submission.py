"""What is submitted (the JSON on the work queue) and what ingest makes of it."""

import json
import uuid
from collections.abc import Iterable
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from medkg_lab.models.documents import Frozen
from medkg_lab.models.identity import FILE_SOURCE, file_id, place_id

SHA256 = r"^[0-9a-f]{64}$"
_JOB_NAMESPACE = uuid.UUID("5bb1a6a4-0c7e-5d0e-9a55-3d0b1c1a7e10")


class Content(Frozen):
    """Bytes known when the submission is made: in the artifact store by hash, or a `file://` address within an allowed root."""

    sha256: str | None = Field(default=None, pattern=SHA256)
    uri: str | None = Field(default=None, pattern=r"^file://", max_length=4096)
    media_type: str = "application/octet-stream"
    size: int | None = Field(default=None, ge=0, description="Bytes; what is large is worked on alone.")
    name: str = Field(default="", max_length=1024)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.sha256 is None) == (self.uri is None):
            raise ValueError("content needs either sha256 or uri")
        return self


class Submission(Frozen):
    """One request on the work queue: a document by source and key, or a query that stands for many.

    `source` is an adapter's name (`clinicaltrials`, `pmc`, `unpaywall`, `core`) or `file`; `key` the document's id there, under
    which a registry's newer content replaces the older one. The key of a `file` is only its name: with other content it is
    another document, unless `replaces` names the one that it is a new version of.
    `pipeline` defaults to the one whose `applicable_sources` name the source. `again` holds any text that makes a repeated
    submission a new job.
    """

    schema_version: Literal["medkg.ingest.request/1"] = "medkg.ingest.request/1"
    tenant_id: str = Field(default="default", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    source: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    key: str = Field(default="", max_length=1024)
    query: str | None = Field(default=None, min_length=1, max_length=4096)
    limit: int = Field(default=100, ge=1, le=100_000)
    pipeline: str | None = Field(default=None, pattern=r"^[a-z-]{1,64}$")
    content: Content | None = None
    correlation_id: str | None = Field(default=None, max_length=128)
    priority: int = Field(default=0, ge=-100, le=100)
    again: str | None = Field(default=None, max_length=128)
    replaces: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9-]{0,63}:.",
        max_length=2048,
        description="The id of the document that this is a new version of.",
    )
    metadata: dict[str, str] = Field(default_factory=dict, max_length=32)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.key and not self.query:
            raise ValueError("a submission names a key or a query")
        return self

    @property
    def doc_id(self) -> str:
        """The document's id in the lab: `<source>:<key>`, for a file with the beginning of its content's hash."""
        if self.replaces is not None:
            return self.replaces
        if self.source == FILE_SOURCE and self.content is not None and self.key:
            if self.content.sha256 is not None:
                return file_id(self.key, self.content.sha256)
            return place_id(self.key, self.content.uri or "")
        return f"{self.source}:{self.key}" if self.key else f"{self.source}?{self.query}"

    def job_id(self, pipeline: str) -> str:
        """The job that this submission stands for in `pipeline`: the same submission gives the same id."""
        uri = self._place()
        return self._job_id(pipeline, [] if uri is None else [["uri", uri]])

    def earlier_job_id(self, pipeline: str) -> str | None:
        """The id that this submission had in earlier versions, if it was another: a file's address was no part of it."""
        return None if self._place() is None else self._job_id(pipeline, [])

    def job_ids(self, pipelines: Iterable[str]) -> frozenset[str]:
        """Every id that a job of this submission may have in one of `pipelines`."""
        made = [(self.job_id(pipeline), self.earlier_job_id(pipeline)) for pipeline in pipelines]
        return frozenset(one for ids in made for one in ids if one is not None)

    def _place(self) -> str | None:
        return self.content.uri if self.source == FILE_SOURCE and self.content is not None else None

    def _job_id(self, pipeline: str, more: list[Any]) -> str:
        content = self.content.sha256 if self.content else None
        parts: list[Any] = [self.tenant_id, self.source, self.key, self.query, pipeline, content, self.again]
        if self.replaces is not None:
            parts.append(self.replaces)
        parts += more
        return str(uuid.uuid5(_JOB_NAMESPACE, json.dumps(parts, ensure_ascii=True)))


class Payload(Frozen):
    """A document's bytes, in the artifact store by `sha256`, and what the source said about them."""

    sha256: str = Field(pattern=SHA256)
    media_type: str
    size: int
    name: str = ""
    source: str
    key: str
    url: str | None = None
    metadata: dict[str, object] = Field(default_factory=dict)
