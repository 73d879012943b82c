"""The settings of a topic, under the names and with the meanings that Kafka gives them.

Source: "Topic Configs" in https://kafka.apache.org/documentation/#topicconfigs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused

_DAY_MS = 24 * 60 * 60 * 1000
_FIXED = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "1",
}
"""Settings of which only one value is offered."""


@dataclass(frozen=True)
class Number:
    """A setting that can be chosen: its default and bounds; -1 stands for "without limit" where `low` is -1."""

    default: int
    low: int
    high: int


NUMBERS = {
    "max.message.bytes": Number(default=1_048_588, low=1024, high=15 * 1024 * 1024),
    "retention.bytes": Number(default=-1, low=-1, high=2**62),
    "retention.ms": Number(default=7 * _DAY_MS, low=-1, high=2**62),
    "segment.bytes": Number(default=64 * 1024 * 1024, low=1024, high=2**30),
    "segment.ms": Number(default=7 * _DAY_MS, low=1, high=2**62),
}


@dataclass(frozen=True)
class TopicConfig:
    """What a partition has to know of its topic's settings; sizes in bytes, times in milliseconds."""

    max_message_bytes: int = NUMBERS["max.message.bytes"].default
    retention_bytes: int = NUMBERS["retention.bytes"].default
    retention_ms: int = NUMBERS["retention.ms"].default
    segment_bytes: int = NUMBERS["segment.bytes"].default
    segment_ms: int = NUMBERS["segment.ms"].default

    @classmethod
    def parse(cls, given: Mapping[str, str | None]) -> "TopicConfig":
        """Read settings as a client wrote them. Raises Refused with INVALID_CONFIG."""
        numbers = {}
        for name, value in given.items():
            if name in NUMBERS:
                numbers[name.replace(".", "_")] = _number(name, value)
            elif _FIXED.get(name) != value:
                raise Refused(Code.INVALID_CONFIG, _unknown(name))
        return cls(**numbers)


def _number(name: str, value: str | None) -> int:
    bounds = NUMBERS[name]
    try:
        number = int(value or "")
    except ValueError:
        raise Refused(Code.INVALID_CONFIG, f"{name} is a whole number") from None
    if not bounds.low <= number <= bounds.high:
        raise Refused(Code.INVALID_CONFIG, f"{name} lies between {bounds.low} and {bounds.high}")
    return number


def _unknown(name: str) -> str:
    if name in _FIXED:
        return f"{name} can only be {_FIXED[name]}"
    return f"unknown setting; known are {', '.join(sorted({*NUMBERS, *_FIXED}))}"


def effective(given: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """Every setting with its value and whether it is the default."""
    defaults = {name: str(number.default) for name, number in NUMBERS.items()} | _FIXED
    return {name: (given.get(name, value), name not in given) for name, value in sorted(defaults.items())}
