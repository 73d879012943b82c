"""The chain of signatures on `ledger.log.v1`: which of its records the lab wrote, in which order, and whether one is missing.

Every record carries the HMAC-SHA256 of its epoch, its event's number, the HMAC of the record before it and its bytes, so that
nobody without the key can add, change, drop or move a record unseen. An epoch is a stretch of the log that was written with
the chain unbroken; a ledger that was recovered begins a new one, which replaces what older ones say from its first event on.
Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self

from medkg_lab.signing import Signer

MAC = "medkg-mac"
PREVIOUS = "medkg-previous"
EPOCH = "medkg-epoch"
SEQ = "medkg-seq"
START = bytes(32)
"""What stands for the HMAC before the first record of an epoch."""
_MAX_DIGITS = 18


class LogRecord(NamedTuple):
    """A record of the topic: its bytes and its headers."""

    value: bytes
    headers: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch by number; `start` is the number of the last event before it."""

    number: int
    start: int


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: epoch, number of the event, and the HMAC of its record."""

    epoch: int
    seq: int
    mac: bytes

    @classmethod
    def first(cls, epoch: Epoch) -> Self:
        """The place before the first record of an epoch."""
        return cls(epoch.number, epoch.start, START)


def signed(signer: Signer, last: Link, seq: int, value: bytes) -> tuple[Link, dict[str, bytes]]:
    """The place of event `seq`, which follows `last` and has the bytes `value`, and the headers of its record."""
    link = Link(last.epoch, seq, signer.digest(_message(last.epoch, seq, last.mac, value)))
    headers = {
        EPOCH: str(link.epoch).encode(),
        SEQ: str(seq).encode(),
        PREVIOUS: last.mac.hex().encode(),
        MAC: link.mac.hex().encode(),
    }
    return link, headers


def _message(epoch: int, seq: int, previous: bytes, value: bytes) -> bytes:
    return epoch.to_bytes(8, "big") + seq.to_bytes(8, "big") + previous + value


@dataclass(frozen=True, slots=True)
class _Signed:
    link: Link
    previous: bytes


def _read(signer: Signer, record: LogRecord) -> _Signed | None:
    """What a record says of its place, if the lab signed it."""
    epoch, seq = (_number(record.headers.get(name)) for name in (EPOCH, SEQ))
    previous, mac = (_digest(record.headers.get(name)) for name in (PREVIOUS, MAC))
    if epoch is None or seq is None or previous is None or mac is None:
        return None
    if not signer.is_digest(_message(epoch, seq, previous, record.value), mac):
        return None
    return _Signed(Link(epoch, seq, mac), previous)


def _number(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and len(text) <= _MAX_DIGITS else None


def _digest(text: bytes | None) -> bytes | None:
    try:
        found = bytes.fromhex((text or b"").decode("ascii"))
    except ValueError:
        return None
    return found if len(found) == len(START) else None


class Verdict(StrEnum):
    """What a record of the topic is."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    UNSIGNED = "unsigned"
    FOREIGN = "foreign"
    STALE = "stale"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that the lab wrote. What was accepted before from event `replaces` on does not hold any more."""

    seq: int
    value: bytes
    replaces: int | None = None


@dataclass(slots=True)
class Findings:
    """What was found while a chain was followed: how many records of each verdict, the first event, and the first gap as the
    last event before it and the next one found behind it."""

    counts: Counter[Verdict] = field(default_factory=Counter)
    first: int | None = None
    gap: tuple[int, int] | None = None


def follow(
    records: Iterable[LogRecord], signer: Signer, newest: Epoch | None, findings: Findings
) -> Iterator[Accepted]:
    """The events of `records` that the lab wrote and that follow one another, without repetitions.

    `newest` is the lab's present epoch as far as it is known: what an older one says of events behind its start is stale.
    """
    following = _Following(signer, newest, findings)
    for record in records:
        if (found := following.judge(record)) is not None:
            yield found


class _Following:
    def __init__(self, signer: Signer, newest: Epoch | None, findings: Findings) -> None:
        self._signer = signer
        self._newest = newest
        self._findings = findings
        self._last: Link | None = None

    def judge(self, record: LogRecord) -> Accepted | None:
        """Count the record, and return it if it is the next."""
        signed_ = _read(self._signer, record)
        if signed_ is None:
            self._findings.counts[Verdict.FOREIGN if MAC in record.headers else Verdict.UNSIGNED] += 1
            return None
        verdict, replaces = self._place(signed_)
        self._findings.counts[verdict] += 1
        if verdict is not Verdict.ACCEPTED:
            return None
        link = self._last = signed_.link
        findings = self._findings
        findings.first = link.seq if findings.first is None else min(findings.first, link.seq)
        if findings.gap is not None:
            closed = link.seq >= findings.gap[1] if replaces is None else link.seq <= findings.gap[0] + 1
            findings.gap = None if closed else findings.gap
        return Accepted(link.seq, record.value, replaces)

    def _place(self, found: _Signed) -> tuple[Verdict, int | None]:
        link, last = found.link, self._last
        if self._newest is not None and link.epoch < self._newest.number and link.seq > self._newest.start:
            return Verdict.STALE, None
        if last is None:
            return Verdict.ACCEPTED, None
        if link.epoch < last.epoch:
            return Verdict.STALE, None
        if link.epoch > last.epoch:
            # Without its start nobody knows from which event on the newer epoch replaces the older ones.
            return Verdict.ACCEPTED, link.seq if found.previous == START else 0
        if link.seq <= last.seq:
            return Verdict.REPEATED, None
        if link.seq == last.seq + 1 and found.previous == last.mac:
            return Verdict.ACCEPTED, None
        if self._findings.gap is None:
            self._findings.gap = last.seq, link.seq
        return Verdict.UNFIT, None
