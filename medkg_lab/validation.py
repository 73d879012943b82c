"""What pydantic finds wrong with a value."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a value and where: `field` is dotted, empty for the value itself."""

    field: str
    message: str

    def text(self, whole: str = "") -> str:
        """Where and what; `whole` is what the value itself is called."""
        return f"{self.field or whole}: {self.message}"


def first_flaw(details: Sequence[ErrorDetails]) -> Flaw:
    """The first of `ValidationError.errors()`."""
    return Flaw(".".join(map(str, details[0]["loc"])), details[0]["msg"])
