"""What Dagster's pages show as a step's output: the lines of the lab's own logs that are about its job or its batch.

Nothing is captured: a step runs among those of other documents, in processes whose logs the lab keeps anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dagster import StringSource

from medkg_lab.files import last_lines
from medkg_lab.orchestration.compat import ComputeIOType, ConfigurableClassData, NoOpComputeLogManager
from medkg_lab.orchestration.runs import TAG_BATCH, TAG_JOB, tag
from medkg_lab.text import sanitize

MAX_LINES = 20_000
"""Lines of each log that are looked through, from its end."""
_NOTHING = "The lab's processes logged nothing about {stage} of job {job}. `medkg-lab logs` shows all of their lines.\n"


class StepLogs(NoOpComputeLogManager):
    """The logs in `folder`, which have one file for each process of the lab."""

    def __init__(self, folder: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._folder = Path(folder)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """What dagster.yaml says."""
        return {"folder": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Made from dagster.yaml."""
        return cls(folder=config_value["folder"], inst_data=inst_data)

    def get_log_data_for_type(
        self, log_key: Sequence[str], io_type: ComputeIOType, offset: int, max_bytes: int | None
    ) -> tuple[bytes | None, int]:
        """The lines as what the step wrote to stderr, from `offset` on; a key is the run's id, a fixed word and the step."""
        if io_type is not ComputeIOType.STDERR or len(log_key) < len(("run", "kind", "step")):
            return None, 0
        run = self._instance.get_run_by_id(log_key[0])
        if run is None or (job := run.tags.get(TAG_JOB)) is None:
            return None, 0
        wanted = {job, tag(run.tags, TAG_BATCH)} - {None}
        found = "".join(f"{line}\n" for line in self._lines({str(one) for one in wanted}, log_key[-1]))
        data = (found or _NOTHING.format(stage=log_key[-1], job=job)).encode()
        end = len(data) if max_bytes is None else min(len(data), offset + max_bytes)
        return data[offset:end], end

    def _lines(self, wanted: set[str], stage: str) -> Iterator[str]:
        for path in sorted(self._folder.glob("*.log")):
            lines = last_lines(path, MAX_LINES)
            yield from (f"{path.stem}: {sanitize(line)}" for line in lines if is_about(line, wanted, stage))


def is_about(line: str, ids: set[str], stage: str) -> bool:
    """Whether a line names one of these jobs and batches, and no other stage than this one. Pure."""
    if not any(one in line for one in ids):
        return False
    return not any(mark in line for mark in ("stage=", '"stage": "')) or any(
        mark in line for mark in (f"stage={stage}", f'"stage": "{stage}"')
    )
