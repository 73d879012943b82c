"""What the ledger's events mean for the knowledge store: a pure reading of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from medkg_lab.models.events import (
    BatchExpired,
    DocumentDeleted,
    Event,
    GateFailed,
    GateRejected,
    JobCancelled,
    JobCompleted,
    JobDead,
    JobFailed,
)


class Action(StrEnum):
    """What happens to a job's staged generation, or to a batch."""

    PUBLISH = "publish"
    PARK = "park"
    FENCE = "fence"
    DELETE = "delete"


@dataclass(frozen=True)
class Effect:
    """One action; `subject` is a job id, or a batch id for FENCE."""

    action: Action
    subject: str


def effects(events: Iterable[Event]) -> list[Effect]:
    """The effects of ledger events, in their order.

    What a job staged that ended in any other way than completed is parked, not deleted: a retry resumes behind the stages that
    were done, so the index stage may not run again. A parked generation is as invisible as a staged one, and is deleted when
    its document is published.
    """
    return [effect for event in events for effect in _effects(event)]


def _effects(event: Event) -> list[Effect]:
    match event.data:
        case BatchExpired(batch=batch):
            return [Effect(Action.FENCE, batch)]
        case JobCompleted(unchanged=False):
            return [Effect(Action.PUBLISH, job) for job in event.jobs]
        case DocumentDeleted():
            return [Effect(Action.DELETE, job) for job in event.jobs]
        case JobCompleted() | JobFailed() | JobDead() | JobCancelled() | GateFailed() | GateRejected():
            return [Effect(Action.PARK, job) for job in event.jobs]
    return []
