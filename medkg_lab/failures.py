"""Errors as they travel between the lab's processes: the class's name, its fields, and the sentence that it makes of them."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from medkg_lab import errors
from medkg_lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the form in which it travels. `type` is the name of its class."""

    type: str
    message: str
    fields: Mapping[str, object] = field(default_factory=dict)

    def revive(self) -> LabError | None:
        """The error itself; None where this process does not know its class, or the class wants other fields than these."""
        known = errors.by_name(self.type)
        if known is None:
            return None
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return known(**self.fields)
        return None


def describe(error: LabError) -> Failure:
    """Put `error` into the form in which it travels."""
    fields = {name: _travels(value) for name, value in error.fields.items()}
    return Failure(type(error).__name__, printable(str(error)), fields)


def printable(text: str) -> str:
    """`text` with what UTF-8 cannot hold written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _travels(value: object) -> object:
    """A field of an error as it is sent: as it is where JSON can hold it, else as text."""
    try:
        orjson.dumps(value)
    except TypeError:
        return printable(str(value))
    return value
