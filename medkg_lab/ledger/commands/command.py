"""What all commands have in common."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from medkg_lab.ledger.errors import IllegalTransition, MalformedCommand, UnknownJob
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import DocumentKey, Job, State
from medkg_lab.models.events import SEPARATOR, Event, EventData, EventType

T = TypeVar("T")

MAX_ID = 200
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Command(ABC):
    """A wish with an id of the caller's own; the same id again gets the first answer.

    `first_events` are the types that the command's first event can have. A `frequent` command is searched for among older ones
    only when the caller says that it sends it again.
    """

    id: str
    op: ClassVar[str]
    first_events: ClassVar[frozenset[EventType]]
    frequent: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        """Read the command as it travels. Raises MalformedCommand."""

    @abstractmethod
    def decide(self, state: State, plans: Plans) -> list[EventData]:
        """The events that follow; none when nothing changes. Raises LedgerError."""

    @abstractmethod
    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> object:
        """The answer, from the command's events; it may be asked for again later."""

    def job_ids(self) -> Iterable[str]:
        """The jobs that `decide` and `answer` look at; they are in memory by then, if they exist."""
        return ()

    def documents(self, state: State, events: Sequence[Event]) -> Iterable[DocumentKey]:
        """The documents whose last completed job `answer` needs to know."""
        return ()


class Args:
    """The arguments of a command as they travel, read with checks; what does not fit raises MalformedCommand."""

    def __init__(self, op: str, values: Mapping[str, object]) -> None:
        self.op = op
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._values.get(name, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"{name} must be a text, not {value!r:.80}")
        return value

    def id(self) -> str:
        """The command's id."""
        value = self.text("id")
        if len(value) > MAX_ID:
            raise self.wrong(f"id is longer than {MAX_ID} characters")
        if SEPARATOR in value:
            raise self.wrong(f"id has a {SEPARATOR} in it")
        return value

    def maybe_text(self, name: str) -> str | None:
        """A text or nothing."""
        return None if self._values.get(name) is None else self.text(name)

    def number(self, name: str, low: float, high: float) -> float:
        """A number between `low` and `high`."""
        value = self._values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(f"{name} must be a number from {low} to {high}, not {value!r:.80}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false when absent."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{name} must be true or false, not {value!r:.80}")
        return value

    def mapping(self, name: str) -> dict[str, object]:
        """An object; empty when absent."""
        value = self._values.get(name) or {}
        if not isinstance(value, dict):
            raise self.wrong(f"{name} must be an object, not {value!r:.80}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(f"{name} must be a list of texts, not {value!r:.80}")
        return tuple(value)

    def mappings(self, name: str) -> list[dict[str, object]]:
        """A list of objects."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(f"{name} must be a list of objects, not {value!r:.80}")
        return value

    def any(self, name: str) -> object:
        """Whatever is there."""
        return self._values.get(name)

    def wrong(self, detail: str) -> MalformedCommand:
        """The error that says `detail`."""
        return MalformedCommand(op=self.op, detail=detail)


def known(state: State, job_id: str) -> Job:
    """The job, which must exist. Raises UnknownJob."""
    job = state.jobs.get(job_id)
    if job is None:
        raise UnknownJob(job_id=job_id)
    return job


def illegal(job: Job, action: str) -> IllegalTransition:
    """The refusal of `action` that names where `job` stands."""
    return IllegalTransition(job_id=job.id, state=job.state.value, version=job.version, action=action)


def is_sha256(value: object) -> bool:
    """Whether `value` is a SHA-256 in lower-case hexadecimal."""
    return isinstance(value, str) and _SHA256.match(value) is not None
