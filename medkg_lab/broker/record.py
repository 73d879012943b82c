"""One record of a topic."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Record:
    """One record; `timestamp` in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def header(self, name: str) -> bytes | None:
        """The value of the last header called `name`, None when there is none."""
        return dict(self.headers).get(name)

    def as_text(self) -> "TextRecord":
        """The record for a person's eyes; bytes that are not UTF-8 are replaced."""
        headers = [(name, _text(value)) for name, value in self.headers]
        return TextRecord(
            self.topic, self.partition, self.offset, self.timestamp, _text(self.key), _text(self.value), headers
        )


@dataclass(frozen=True, slots=True)
class TextRecord:
    """A record in text."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    value: str | None
    headers: Sequence[tuple[str, str | None]]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


UNREADABLE_HEADERS: tuple[tuple[str, bytes | None], ...] = (("(headers whose names are not UTF-8)", None),)
"""What stands for headers that the client library cannot give."""


# confluent-kafka returns from `headers()` with an exception still set when a name is not UTF-8, which nobody in Kafka checks. A
# call by this object has the interpreter look for that; a plain one does not once it is warm, and the exception surfaces
# wherever the next call ends.
_ask_headers = operator.methodcaller("headers")


def _headers(message: Any) -> tuple[tuple[str, bytes | None], ...]:
    try:
        return tuple(_ask_headers(message) or ())
    except (UnicodeDecodeError, SystemError):
        return UNREADABLE_HEADERS


def from_message(message: Any) -> Record:
    """The record in a confluent-kafka message that has no error."""
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=_headers(message),
    )
