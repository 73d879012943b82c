"""What the ledger's events mean for the knowledge store: a pure reading of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What happens to a job's staged generation, or to a batch."""

    PUBLISH = "publish"
    PARK = "park"
    FENCE = "fence"


@dataclass(frozen=True)
class Effect:
    """One action; `subject` is a job id, or a batch id for FENCE."""

    action: Action
    subject: str


_ENDED_OTHERWISE = frozenset({"job.failed", "job.dead", "job.cancelled", "gate.failed", "gate.rejected"})


def effects(events: Iterable[Mapping[str, Any]]) -> list[Effect]:
    """The effects of ledger events, in their order.

    What a job staged that ended in any other way than completed is parked, not deleted: a retry resumes behind the stages that
    were done, so the index stage may not run again. A parked generation is as invisible as a staged one, and is deleted when
    its document is published.
    """
    return [effect for event in events for effect in _effects(event)]


def _effects(event: Mapping[str, Any]) -> list[Effect]:
    kind = event["type"]
    if kind == "batch.expired":
        return [Effect(Action.FENCE, event["batch"])]
    if kind == "job.completed" and not event["data"].get("unchanged"):
        return [Effect(Action.PUBLISH, job) for job in event["jobs"]]
    if kind == "job.completed" or kind in _ENDED_OTHERWISE:
        return [Effect(Action.PARK, job) for job in event["jobs"]]
    return []
