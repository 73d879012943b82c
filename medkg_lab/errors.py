"""The base classes of every error the lab raises on purpose.

An error's docstring is its message: a template over the keyword fields it is raised with. It says what is wrong and what
to do about it. Each package keeps its own errors in a module of its own; all derive from `LabError`.
"""

import inspect
from typing import Any, ClassVar

from medkg_lab import exit_codes


class LabError(Exception):
    """Something in the lab went wrong: {detail}. Look at `medkg-lab logs` for what happened before it."""

    exit_code: ClassVar[int] = exit_codes.FAILED

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__(self.render(fields))

    @classmethod
    def render(cls, fields: dict[str, object]) -> str:
        """Fill the class's message template with `fields`."""
        return " ".join(inspect.cleandoc(cls.__doc__ or "").split()).format(**fields)


class DocumentError(LabError):
    """This document cannot be processed: {detail}. Fix the document and submit it again."""

    failure_kind: ClassVar[str] = "bad_input"
    """What the job's `failure_kind` becomes. Such an error says that the document is at fault: it is neither retried nor
    counted by a circuit breaker."""


class ServiceError(LabError):
    """A service that a stage needs did not do its part: {detail}. `medkg-lab status` shows which process is down."""

    failure_kind: ClassVar[str] = "service"
    """What the job's `failure_kind` becomes once the policy's tries are spent. Such an error is retried and counted."""
    part: ClassVar[str | None] = None
    """The process of the lab that the service is, if it is the lab's own: then the job is run again once that is whole."""


class PartAway(LabError):
    """A process of this lab does not answer: {detail}. It is started again by itself; `medkg-lab status` shows its state."""

    # Nothing is wrong with a document whose stage meets it, nor with a service outside: its batch is given back.


class LabNotRunning(LabError):
    """No lab is running at {home}. Start one with `medkg-lab up`."""

    exit_code = exit_codes.NOT_READY


def by_name(name: str) -> type[LabError] | None:
    """Find the error class called `name` among those imported so far."""
    pending: list[type[LabError]] = [LabError]
    while pending:
        candidate = pending.pop()
        if candidate.__name__ == name:
            return candidate
        pending.extend(candidate.__subclasses__())
    return None
