"""The settings of a topic, under the names and with the meanings that Kafka gives them.

Source: "Topic Configs" in https://kafka.apache.org/documentation/#topicconfigs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.requests import ConfigValue

_DAY_MS = 24 * 60 * 60 * 1000
_POLICY = "cleanup.policy"
_POLICIES = frozenset({"", "delete", "compact", "delete,compact", "compact,delete"})
LISTS = frozenset({_POLICY})
"""Settings whose values are words with commas in between."""
_CHOICES: dict[str, tuple[str, frozenset[str]]] = {
    _POLICY: ("delete", _POLICIES),
    "compression.type": (
        "producer",
        frozenset({"producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"}),
    ),
    "message.timestamp.type": ("CreateTime", frozenset({"CreateTime"})),
    "min.insync.replicas": ("1", frozenset({"1"})),
}
"""Settings with the default and all values. Batches stay as their producer compressed them, whatever is asked for; a topic
without `delete` in its policy keeps everything, and nothing is ever compacted, so that a reader finds more and never less."""
_WITHOUT_EFFECT = {
    "delete.retention.ms": _DAY_MS,
    "file.delete.delay.ms": 60_000,
    "flush.messages": 2**63 - 1,
    "flush.ms": 2**63 - 1,
    "index.interval.bytes": 4096,
    "max.compaction.lag.ms": 2**63 - 1,
    "min.compaction.lag.ms": 0,
    "segment.index.bytes": 10 * 1024 * 1024,
    "segment.jitter.ms": 0,
}
"""Settings that are kept and told, and that nothing here depends on: how files are arranged and when they are synced is the
broker's own affair, and every record is synced before it is acknowledged."""


@dataclass(frozen=True)
class Number:
    """A setting that can be chosen: its default and bounds; -1 stands for "without limit" where `low` is -1."""

    default: int
    low: int
    high: int


_MAX_MESSAGE_BYTES = Number(default=1_048_588, low=1024, high=15 * 1024 * 1024)
_RETENTION_BYTES = Number(default=-1, low=-1, high=2**62)
_RETENTION_MS = Number(default=7 * _DAY_MS, low=-1, high=2**62)
_SEGMENT_BYTES = Number(default=64 * 1024 * 1024, low=1024, high=2**30)
_SEGMENT_MS = Number(default=7 * _DAY_MS, low=1, high=2**62)
NUMBERS = {
    "max.message.bytes": _MAX_MESSAGE_BYTES,
    "retention.bytes": _RETENTION_BYTES,
    "retention.ms": _RETENTION_MS,
    **{name: Number(default=value, low=-1, high=2**63 - 1) for name, value in _WITHOUT_EFFECT.items()},
    "segment.bytes": _SEGMENT_BYTES,
    "segment.ms": _SEGMENT_MS,
}


@dataclass(frozen=True)
class TopicConfig:
    """What a partition has to know of its topic's settings; sizes in bytes, times in milliseconds."""

    max_message_bytes: int = _MAX_MESSAGE_BYTES.default
    retention_bytes: int = _RETENTION_BYTES.default
    retention_ms: int = _RETENTION_MS.default
    segment_bytes: int = _SEGMENT_BYTES.default
    segment_ms: int = _SEGMENT_MS.default
    deletes: bool = True
    """Whether records may go by age or size at all."""

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "TopicConfig":
        """Read settings as a client wrote them. Raises Refused with INVALID_CONFIG."""
        numbers = {}
        for name, value in given.items():
            if name in NUMBERS:
                number = _number(name, value)
                if name not in _WITHOUT_EFFECT:
                    numbers[name.replace(".", "_")] = number
            elif name not in _CHOICES or value not in _CHOICES[name][1]:
                raise Refused(Code.INVALID_CONFIG, _unknown(name))
        return cls(**numbers, deletes="delete" in given.get(_POLICY, "delete"))


def _number(name: str, value: str) -> int:
    bounds = NUMBERS[name]
    try:
        number = int(value)
    except ValueError:
        raise Refused(Code.INVALID_CONFIG, f"{name} is a whole number") from None
    if not bounds.low <= number <= bounds.high:
        raise Refused(Code.INVALID_CONFIG, f"{name} lies between {bounds.low} and {bounds.high}")
    return number


def _unknown(name: str) -> str:
    if name in _CHOICES:
        return f"{name} can be {' or '.join(repr(value) for value in sorted(_CHOICES[name][1]))}"
    return f"unknown setting; known are {', '.join(sorted({*NUMBERS, *_CHOICES}))}"


def by_name(entries: Iterable[ConfigValue]) -> dict[str, str]:
    """Settings as a client wrote them. Raises Refused with INVALID_CONFIG for one without a value."""
    return {entry.name: value_of(entry) for entry in entries}


def value_of(entry: ConfigValue) -> str:
    """The value of one setting. Raises Refused with INVALID_CONFIG where there is none."""
    if entry.value is None:
        raise Refused(Code.INVALID_CONFIG, f"{entry.name} has no value")
    return entry.value


def effective(given: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """Every setting with its value and whether it is the default."""
    defaults = {name: str(number.default) for name, number in NUMBERS.items()}
    defaults |= {name: default for name, (default, _) in _CHOICES.items()}
    return {name: (given.get(name, value), name not in given) for name, value in sorted(defaults.items())}
