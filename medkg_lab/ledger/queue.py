"""The queued jobs: by whom they may be claimed, with whom, and in which order."""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol


class GroupKey(NamedTuple):
    """Jobs with the same key may share a batch.

    `run_id` keeps the jobs of a launched run together, `cohort` a part of a lost batch or a job that is to be alone; both keep
    others out.
    """

    lane: str
    run_id: str | None
    cohort: str | None
    pipeline: str
    pipeline_version: str
    segment: int
    offline: bool
    done: tuple[str, ...]


class _Spec(Protocol):
    @property
    def priority(self) -> int: ...


class Queueable(Protocol):
    """What the queue knows of a job."""

    @property
    def id(self) -> str: ...
    @property
    def age(self) -> int: ...
    @property
    def spec(self) -> _Spec: ...
    def group(self) -> GroupKey: ...


@dataclass(slots=True)
class Queue:
    """Queued jobs by group and, within a group, by priority and then in the order in which they came.

    A job must be removed before anything that its group depends on changes.
    """

    _groups: dict[GroupKey, dict[int, OrderedDict[str, int]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(ages) for group in self._groups.values() for ages in group.values())

    def add(self, job: Queueable) -> None:
        """Put `job` at the end of its priority in its group."""
        group = self._groups.setdefault(job.group(), {})
        group.setdefault(job.spec.priority, OrderedDict())[job.id] = job.age

    def remove(self, job: Queueable) -> None:
        """Take `job` out. Raises KeyError when it is not queued."""
        key, priority = job.group(), job.spec.priority
        group = self._groups[key]
        del group[priority][job.id]
        if not group[priority]:
            del group[priority]
        if not group:
            del self._groups[key]

    def pick(self, lanes: Collection[str], limit: int) -> tuple[GroupKey, list[str]] | None:
        """The jobs that a claim for `lanes` gets: highest priority first, then the oldest, and who may go with it.

        At most `limit`, but all jobs of a launched run together.
        """
        best = min((key for key in self._groups if key.lane in lanes), key=self._urgency, default=None)
        if best is None:
            return None
        chosen = self._ordered(best)
        return best, list(chosen if best.run_id is not None else islice(chosen, limit))

    def lanes(self) -> dict[str, int]:
        """How many jobs are queued in each lane."""
        counts: dict[str, int] = {}
        for key, group in self._groups.items():
            counts[key.lane] = counts.get(key.lane, 0) + sum(map(len, group.values()))
        return counts

    def holds_run(self, run_id: str) -> bool:
        """Whether jobs wait that are bound to `run_id`."""
        return any(key.run_id == run_id for key in self._groups)

    def _urgency(self, key: GroupKey) -> tuple[int, int]:
        group = self._groups[key]
        priority = max(group)
        return -priority, next(iter(group[priority].values()))

    def _ordered(self, key: GroupKey) -> Iterator[str]:
        group = self._groups[key]
        for priority in sorted(group, reverse=True):
            yield from group[priority]
