"""Runs and how they change, before they have OpenLineage's form: https://openlineage.io/docs/spec/object-model.

A run's id follows from what it is the run of, so that the same events of the ledger always tell the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

_NAMESPACE = uuid5(NAMESPACE_URL, "medkg-lab/lineage/1")
"""What the ids are made in (RFC 9562, section 5.5)."""


class Transition(StrEnum):
    """A change of a run's state, in OpenLineage's words."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


@dataclass(frozen=True, slots=True)
class Dataset:
    """An artifact; `items` is how many it holds, where it was just made."""

    kind: str
    sha256: str
    items: int | None = None


@dataclass(frozen=True, slots=True)
class RunLabel:
    """A run: its id, and the name of the job that it is a run of, in OpenLineage's sense."""

    id: UUID
    job: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """A change of the state of a run: `at` is in seconds since the epoch, `tags` say whose and what it is.

    `parent` is the run that it is a part of; `error` is why it failed.
    """

    run: RunLabel
    transition: Transition
    at: float
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: RunLabel | None = None
    error: str | None = None


def run_id(*what: object) -> UUID:
    """The id of the run of these."""
    return uuid5(_NAMESPACE, "\x1f".join(map(str, what)))
