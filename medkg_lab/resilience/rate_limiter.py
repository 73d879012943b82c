"""Rate limits: aiolimiter's bucket paces calls, of which all processes together lease no more than the limit allows."""

import asyncio
import math
from collections.abc import Callable
from functools import partial

from aiolimiter import AsyncLimiter

from medkg_lab.models.circuits import RateLease
from medkg_lab.resilience.breaker import StoreCall, call_inline
from medkg_lab.resilience.circuit_storage import CircuitKey, ResilienceStateStore, query_store

LEASE_S = 0.1
"""Calls worth so many seconds of a rate limit are leased at once, one at least, and as many as wait for one already."""
BURST_S = 0.5
"""Calls worth so many seconds may be made at once after a pause, as the ledger's own buckets allow."""

Lease = Callable[[int], RateLease | None]
"""Asks for some of the calls that all processes together may make; None while nobody is there to ask."""


def leased_from(state_store: ResilienceStateStore, circuit: CircuitKey, per_second: float) -> Lease:
    """Leases from the state store's bucket."""
    return lambda want: query_store(
        circuit, lambda: state_store.rate_lease(circuit.policy, circuit.key, per_second, want)
    )


class Limiter:
    """Lets `per_second` calls through, in the order in which they asked; for the tasks of one event loop."""

    def __init__(self, per_second: float, lease: Lease | None = None, store_call: StoreCall = call_inline) -> None:
        burst = max(1.0, per_second * BURST_S)
        self._bucket = AsyncLimiter(burst, burst / per_second)
        self._least, self._most = max(1, int(per_second * LEASE_S)), int(burst)
        self._waiting = 0
        self._lease = lease
        self._asking = store_call
        self._leased = 0
        self._turn = asyncio.Lock()

    async def acquire(self, deadline: float = math.inf) -> bool:
        """Wait for a call; False once it cannot come before `deadline`, in the loop's time."""
        self._waiting += 1
        try:
            async with asyncio.timeout_at(None if deadline == math.inf else deadline), self._turn:
                if self._lease is not None and not await self._acquire(self._lease, deadline):
                    return False
                await self._bucket.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    async def _acquire(self, lease: Lease, deadline: float) -> bool:
        """Take a leased call. While nobody leases, the bucket here is the whole limit."""
        while self._leased == 0:
            answer = await self._asking(partial(lease, max(self._least, min(self._waiting, self._most))))
            if answer is None:
                return True
            self._leased = answer.granted
            if self._leased == 0:
                if asyncio.get_running_loop().time() + answer.wait_s > deadline:
                    return False
                await asyncio.sleep(answer.wait_s)
        self._leased -= 1
        return True
