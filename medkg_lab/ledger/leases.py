"""Until when each batch is its engine's. Leases are not in the log: after a restart every batch gets a fresh one."""

from collections.abc import Mapping
from dataclasses import dataclass

from medkg_lab.ledger.state import Batch


@dataclass(slots=True)
class _Lease:
    until: float
    deadline: float | None = None


class Leases:
    """Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    def renew(self, batch: Batch, now: float, deadline_s: float | None = None) -> None:
        """Give `batch` another lease from `now` on, but never beyond the deadline of the stage that it is in."""
        deadline = None if deadline_s is None else now + max(deadline_s, 0.0)
        until = now + batch.lease_s
        self._leases[batch.id] = _Lease(until if deadline is None else min(until, deadline), deadline)

    def prolong(self, seconds: float) -> None:
        """Give all batches `seconds` more, for a time in which the ledger itself could not hear their engines."""
        for lease in self._leases.values():
            lease.until += seconds
            lease.deadline = None if lease.deadline is None else lease.deadline + seconds

    def until(self, batch_id: str) -> float | None:
        """When the lease of a batch ends, if it has one."""
        lease = self._leases.get(batch_id)
        return lease.until if lease else None

    def expired(self, batches: Mapping[str, Batch], now: float) -> list[tuple[str, str]]:
        """The batches whose lease is over, each with the reason (`lease` or `deadline`); those without a lease get one."""
        for batch_id in self._leases.keys() - batches.keys():
            del self._leases[batch_id]
        for batch_id in batches.keys() - self._leases.keys():
            self.renew(batches[batch_id], now)
        over = [(batch_id, lease) for batch_id, lease in self._leases.items() if lease.until < now]
        return [(batch_id, "deadline" if lease.deadline == lease.until else "lease") for batch_id, lease in over]
