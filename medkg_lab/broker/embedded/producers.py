"""What a partition remembers of idempotent producers, so that a batch that was sent again is not stored again.

The rules are those of Kafka's idempotent producer (KIP-98, KIP-360): per producer id an epoch and the last five batches.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from medkg_lab.broker.embedded.batch import SEQUENCE_LIMIT, Batch
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused

REMEMBERED = 5
"""Batches a producer may have in flight, hence how far back a repeated one can lie."""


@dataclass
class _Producer:
    epoch: int
    batches: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """(first sequence, last sequence, base offset), oldest first."""


@dataclass(frozen=True)
class KnownProducer:
    """One producer as administrators see it."""

    id: int
    epoch: int
    last_sequence: int


class Producers:
    """The producers of one partition, the least recently heard one forgotten when there are more than `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: OrderedDict[int, _Producer] = OrderedDict()
        self.repeats = 0

    def check(self, batch: Batch, something_removed: bool) -> int | None:
        """The offset at which `batch` is stored already, or None when it comes next.

        Raises Refused when it is out of order or from an epoch that has ended. `something_removed` says that the log no
        longer reaches back to its beginning, so that the producer's earlier batches may be among what retention took.
        """
        if batch.producer_id < 0:
            return None
        known = self._known.get(batch.producer_id)
        if known is None:
            self._check_stranger(batch, something_removed)
            return None
        if batch.producer_epoch < known.epoch:
            raise Refused(
                Code.INVALID_PRODUCER_EPOCH, f"epoch {batch.producer_epoch}, the producer is at {known.epoch}"
            )
        if batch.producer_epoch > known.epoch:
            self._check_order(batch, 0)
            return None
        for first, last, offset in known.batches:
            if (first, last) == (batch.base_sequence, batch.last_sequence):
                self.repeats += 1
                return offset
        self._check_order(batch, (known.batches[-1][1] + 1) % SEQUENCE_LIMIT)
        return None

    def _check_stranger(self, batch: Batch, something_removed: bool) -> None:
        if batch.base_sequence and something_removed:
            raise Refused(Code.UNKNOWN_PRODUCER_ID, "nothing is left of this producer's earlier batches")
        self._check_order(batch, 0)

    def _check_order(self, batch: Batch, expected: int) -> None:
        if batch.base_sequence != expected:
            raise Refused(Code.OUT_OF_ORDER_SEQUENCE_NUMBER, f"sequence {batch.base_sequence}, expected {expected}")

    def note(self, batch: Batch) -> None:
        """Remember `batch`, which the log now holds at its base offset."""
        if batch.producer_id < 0:
            return
        known = self._known.get(batch.producer_id)
        if known is None or known.epoch != batch.producer_epoch:
            known = self._known[batch.producer_id] = _Producer(batch.producer_epoch)
        known.batches.append((batch.base_sequence, batch.last_sequence, batch.base_offset))
        self._known.move_to_end(batch.producer_id)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def known(self) -> list[KnownProducer]:
        """Those that are remembered, the least recently heard one first."""
        return [KnownProducer(pid, one.epoch, one.batches[-1][1]) for pid, one in self._known.items()]

    def summary(self) -> list[Any]:
        """What a checkpoint keeps, least recently heard producer first."""
        return [[pid, producer.epoch, list(producer.batches)] for pid, producer in self._known.items()]

    def restore(self, summary: list[Any]) -> None:
        """Take over a summary. Raises TypeError and ValueError for a damaged one."""
        for pid, epoch, batches in summary:
            kept = [(int(first), int(last), int(offset)) for first, last, offset in batches]
            if not kept:
                raise ValueError(f"producer {pid} has no batch")
            self._known[int(pid)] = _Producer(int(epoch), deque(kept, maxlen=REMEMBERED))
