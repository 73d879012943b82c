"""A run: what each stage came to for each job, whether it was recorded in the lab or made by running the incident again."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

import orjson

from medkg_lab.files import replace_private
from medkg_lab.repro.errors import RunDamaged, UnknownRun

RECORDED = "recorded"
How = Literal["recorded", "ran", "live"]


@dataclass
class Step:
    """One stage for one job, for the `n`-th time (from 0).

    `how` says whether it ran here, ran with the real outside (`live`), or answers from the recording. `tries` are the failed
    attempts before the last one; `facts` are further things to compare, by name.
    """

    job: str
    doc_id: str
    stage: str
    n: int = 0
    batch: str = ""
    status: str = "completed"
    how: How = "ran"
    kind: str | None = None
    ref: str | None = None
    count: int | None = None
    implementation: str | None = None
    device: str | None = None
    made_with: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    failure_kind: str | None = None
    reason: str | None = None
    tries: list[dict[str, object]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    t0: float = 0.0
    t1: float = 0.0

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes it the same step in another run."""
        return self.job, self.stage, self.n


@dataclass
class Transition:
    """A circuit changed its state, at `ts` seconds since the epoch."""

    ts: float
    policy: str
    key: str
    state: str


@dataclass
class Run:
    """All steps, in order, with how the jobs ended, and what was chosen for the run.

    `versions` are those of the pipelines, `job_versions` of what each job went by: topology, policies and profile.
    `assumed` counts calls beyond the recording that were answered as the last recorded one; `unrecorded` names those that were
    not answered. `seconds` is what the run took, `virtual_seconds` what it would have taken.
    """

    id: str
    steps: list[Step] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    job_versions: dict[str, dict[str, str]] = field(default_factory=dict)
    breakers: list[Transition] = field(default_factory=list)
    choices: dict[str, object] = field(default_factory=dict)
    unrecorded: list[str] = field(default_factory=list)
    assumed: int = 0
    seconds: float = 0.0
    virtual_seconds: float = 0.0

    def by_key(self) -> dict[tuple[str, str, int], Step]:
        """The steps by what makes them comparable."""
        return {step.key: step for step in self.steps}

    def encode(self) -> bytes:
        """The run as JSON."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The run that `encode` wrote."""
        values = orjson.loads(data)
        steps = [Step(**step) for step in values.pop("steps")]
        breakers = [Transition(**one) for one in values.pop("breakers")]
        return cls(steps=steps, breakers=breakers, **values)


class RunStore:
    """The runs that were kept in a folder, named 1, 2, 3 and so on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The names, oldest first."""
        numbers = (int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdecimal())
        return [str(number) for number in sorted(numbers)]

    def next_name(self) -> str:
        """The name for a new run."""
        return str(max(map(int, self.names()), default=0) + 1)

    def save(self, run: Run) -> None:
        """Keep `run` under its id, completely or not at all."""
        replace_private(self._folder / f"{run.id}.json", run.encode())

    def get(self, name: str | None) -> Run:
        """A run by name; the newest when none is named. Raises UnknownRun and RunDamaged."""
        known = self.names()
        chosen = name or (known[-1] if known else "")
        if chosen not in known:
            raise UnknownRun(run=chosen or "(none)", known=", ".join([RECORDED, *known]))
        path = self._folder / f"{chosen}.json"
        try:
            return Run.decode(path.read_bytes())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunDamaged(run=chosen, path=path) from None


def counted(steps: Iterable[Step]) -> Mapping[str, int]:
    """How many steps ran, were live or answered from the recording."""
    found: dict[str, int] = {}
    for step in steps:
        found[step.how] = found.get(step.how, 0) + 1
    return found
