"""The documents of one batch while they pass its stages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medkg_lab.ledger.answers import BatchJob
from medkg_lab.models.events import FieldValue
from medkg_lab.models.job import JobSpec
from medkg_lab.models.submission import Submission
from medkg_lab.stages.kinds import KINDS


@dataclass
class BatchItem:
    """A job of the batch: `outputs` are the artifacts of its stages by kind, `values` those that were decoded or just made.

    `gone` is set once the document has left the batch.
    """

    job_id: str
    doc_id: str
    tenant_id: str
    correlation_id: str
    attempt: int
    offline: bool
    again: bool
    last_content: str | None
    submission: Submission
    fields: Mapping[str, object]
    outputs: dict[str, str]
    values: dict[str, object] = field(default_factory=dict)
    gone: bool = False

    def has(self, kind: str) -> bool:
        """Whether some stage has made a value of `kind`."""
        return kind in self.values or kind in self.outputs

    def value(self, kind: str, load: Callable[[str], bytes]) -> Any:
        """The document's value of `kind`, which it `has`, from its artifact where it is not in memory."""
        if kind not in self.values:
            self.values[kind] = KINDS[kind].decode(load(self.outputs[kind]))
        return self.values[kind]

    def add_output(self, kind: str, value: Any, sha256: str) -> None:
        """A stage made this."""
        self.values[kind], self.outputs[kind] = value, sha256


def of_spec(
    spec: JobSpec,
    attempt: int = 0,
    last_content: str | None = None,
    fields: Mapping[str, FieldValue] | None = None,
    outputs: Mapping[str, str] | None = None,
) -> BatchItem:
    """The document of a job that no ledger gave out. Raises pydantic's ValidationError as `read` does."""
    return BatchItem(
        job_id=spec.job_id,
        doc_id=spec.doc_id,
        tenant_id=spec.tenant_id,
        correlation_id=spec.correlation_id,
        attempt=attempt,
        offline=spec.offline,
        again=spec.again,
        last_content=last_content,
        submission=Submission.model_validate_json(spec.submission),
        fields=fields or {},
        outputs=dict(outputs or {}),
    )


def read(job: BatchJob) -> BatchItem:
    """The document of a claimed job. Raises pydantic's ValidationError for a submission that no longer reads as one."""
    return BatchItem(
        job_id=job.job_id,
        doc_id=job.doc_id,
        tenant_id=job.tenant_id,
        correlation_id=job.correlation_id,
        attempt=job.attempt,
        offline=job.offline,
        again=job.again,
        last_content=job.last_content,
        submission=Submission.model_validate(job.submission),
        fields=job.fields,
        outputs=dict(job.outputs),
    )
