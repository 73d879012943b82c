"""What the recorder must remember between two readings: the runs, batches and launches that have not ended."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field


@dataclass
class LiveRun:
    """The visible run of a job's present execution; `waits` is when it came to its gate, `open` whether that has opened.

    `at_gate` says whether the gate's step has begun; it is false in records of older versions, which ended the run at the gate.
    """

    run_id: str
    pipeline: str
    version: str
    half: int
    batch: str
    waits: float | None = None
    open: bool = False
    at_gate: bool = False


@dataclass
class LiveBatch:
    """A batch that an engine works on: the jobs still in it, and those `inside` its present `step`.

    `shown` says whether the batch has a run of its own in Dagster.
    """

    pipeline: str
    version: str
    half: int
    shown: bool
    jobs: list[str]
    step: str | None = None
    inside: list[str] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)


@dataclass
class Launch:
    """A run that Dagster made and no engine has claimed yet, for these jobs."""

    jobs: list[str]


class LiveRuns:
    """The recorder's memory: runs by job, batches and launches by id. What changed since the last `changes` is known."""

    def __init__(self, stored: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, LiveRun | LiveBatch | Launch] = {}
        self._changed: set[str] = set()
        self._runs: dict[str, str] = {}
        kinds: dict[str, Callable[..., LiveRun | LiveBatch | Launch]] = {
            "run": LiveRun,
            "batch": LiveBatch,
            "launch": Launch,
        }
        for key, value in stored:
            self._values[key] = found = kinds[key.partition(":")[0]](**json.loads(value))
            if isinstance(found, LiveRun):
                self._runs[found.run_id] = key

    def run(self, job_id: str) -> LiveRun | None:
        """The job's run, if one is live."""
        found = self._values.get(f"run:{job_id}")
        return found if isinstance(found, LiveRun) else None

    def runs(self) -> dict[str, LiveRun]:
        """All live runs by job id."""
        return {key.partition(":")[2]: value for key, value in self._values.items() if isinstance(value, LiveRun)}

    def batch(self, batch_id: str | None) -> LiveBatch | None:
        """The batch, if it is live."""
        found = self._values.get(f"batch:{batch_id}")
        return found if isinstance(found, LiveBatch) else None

    def has_run(self, run_id: str) -> bool:
        """Whether the run is live, as a job's or as a batch's."""
        return run_id in self._runs or f"batch:{run_id}" in self._values

    def launches(self) -> dict[str, Launch]:
        """All launches by run id."""
        return {key.partition(":")[2]: value for key, value in self._values.items() if isinstance(value, Launch)}

    def put_run(self, job_id: str, run: LiveRun) -> None:
        """Remember a run, new or changed."""
        self.drop_run(job_id)
        self._runs[run.run_id] = job_id
        self._put(f"run:{job_id}", run)

    def put_batch(self, batch_id: str, batch: LiveBatch) -> None:
        """Remember a batch, new or changed."""
        self._put(f"batch:{batch_id}", batch)

    def put_launch(self, run_id: str, launch: Launch) -> None:
        """Remember a launch, new or changed."""
        self._put(f"launch:{run_id}", launch)

    def drop_run(self, job_id: str) -> None:
        """Forget the job's run."""
        if (run := self.run(job_id)) is not None:
            self._runs.pop(run.run_id, None)
        self._drop(f"run:{job_id}")

    def drop_batch(self, batch_id: str) -> None:
        """Forget the batch."""
        self._drop(f"batch:{batch_id}")

    def drop_launch(self, run_id: str) -> None:
        """Forget the launch."""
        self._drop(f"launch:{run_id}")

    def changes(self) -> dict[str, str | None]:
        """What to store since the last call: key to JSON text, or to None where it is to be removed."""
        values = {key: self._values.get(key) for key in self._changed}
        self._changed = set()
        return {key: None if value is None else json.dumps(asdict(value)) for key, value in values.items()}

    def _put(self, key: str, value: LiveRun | LiveBatch | Launch) -> None:
        self._values[key] = value
        self._changed.add(key)

    def _drop(self, key: str) -> None:
        if self._values.pop(key, None) is not None:
            self._changed.add(key)
