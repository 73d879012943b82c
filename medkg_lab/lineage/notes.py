"""What is remembered of jobs and batches between two events, while they are under way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medkg_lab.lineage.runs import Dataset, RunLabel, run_id

Output = tuple[str, str]
"""A kind, and the sha256 of an artifact of it."""


@dataclass(slots=True)
class JobNote:
    """An unfinished job.

    `life` is the number of the event that queued it; `done` is what its stages, and gates, have made; `document` the one that was
    read from its PDF. `stage` and `gate` are those whose runs are open.
    """

    job_id: str
    doc_id: str
    tenant_id: str
    pipeline: str
    version: str
    life: int
    started: bool = False
    execution: int = 0
    batch: str | None = None
    stage: str | None = None
    gate: str | None = None
    document: str | None = None
    done: dict[str, Output] = field(default_factory=dict)

    def outputs(self) -> dict[str, str]:
        """The newest artifact of each kind."""
        return dict(self.done.values())

    def inputs(self, kinds: tuple[str, ...]) -> tuple[Dataset, ...]:
        """The artifacts that a stage takes which needs these kinds."""
        made = self.outputs()
        return tuple(Dataset(kind, made[kind]) for kind in kinds if kind in made)

    def label(self) -> RunLabel:
        """The run of the job as a whole."""
        return RunLabel(run_id("job", self.job_id, self.life), self.pipeline)

    def of_stage(self, stage: str) -> RunLabel:
        """The run of one of its stages, or of its waiting at a gate."""
        return RunLabel(run_id("stage", self.job_id, self.life, self.execution, stage), f"{self.pipeline}.{stage}")

    def tags(self) -> Mapping[str, str]:
        """Whose and what it is."""
        return {
            "document": self.doc_id,
            "tenant": self.tenant_id,
            "job": self.job_id,
            "pipeline_version": self.version,
        }


@dataclass(slots=True)
class BatchNote:
    """An open batch: the name of its job in OpenLineage's sense, and which of the lab's jobs are still in it."""

    batch: str
    name: str
    tags: dict[str, str]
    left: list[str]

    def label(self) -> RunLabel:
        """The run of the batch."""
        return RunLabel(run_id("batch", self.batch), self.name)


@dataclass(slots=True)
class Notes:
    """The notes of the jobs and batches that some events name; None stands for one that is not, or no longer, under way."""

    jobs: dict[str, JobNote | None] = field(default_factory=dict)
    batches: dict[str, BatchNote | None] = field(default_factory=dict)
