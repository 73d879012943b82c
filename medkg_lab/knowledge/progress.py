"""Waiting, on the event loop, until the store has come so far."""

import asyncio
import heapq
import itertools


class Progress:
    """How far the store has come; made on the event loop that waits."""

    def __init__(self, position: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._position = position
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def reached(self, seq: int) -> None:
        """Note, from any thread, that everything up to `seq` has been taken in."""
        self._loop.call_soon_threadsafe(self._note, seq)

    def _note(self, seq: int) -> None:
        self._position = seq
        while self._waiting and self._waiting[0][0] <= seq:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def wait(self, seq: int, seconds: float) -> bool:
        """Wait up to `seconds` until `seq` has been taken in, and say whether it has."""
        if self._position >= seq:
            return True
        future: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (seq, next(self._order), future))
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        return True
