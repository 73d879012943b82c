"""Group commit: while one fdatasync of a log runs, what is appended waits for the next one together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from medkg_lab.broker.embedded.log import PartitionLog

_THREADS = 4


class Flusher:
    """Syncs logs in worker threads, at most one round per log at a time.

    `on_failure` is called with the log and the reason when a sync fails; the log is offline by then. Without `fsync`
    nothing is synced and everything counts as if it were.
    """

    def __init__(self, on_failure: Callable[[PartitionLog, str], None], fsync: bool = True) -> None:
        self._on_failure = on_failure
        self._fsync = fsync
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sync")
        self._running: dict[PartitionLog, asyncio.Task[None]] = {}
        self.rounds = 0

    def request(self, log: PartitionLog) -> None:
        """Have everything that `log` holds so far synced soon."""
        if log not in self._running:
            self._running[log] = asyncio.create_task(self._sync(log))

    async def _sync(self, log: PartitionLog) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (work := log.begin_sync()) is not None:
                try:
                    if self._fsync:
                        await loop.run_in_executor(self._threads, work.run)
                except OSError as error:
                    reason = f"fdatasync failed: {error}"
                    log.fail(reason)
                    self._on_failure(log, reason)
                    return
                self.rounds += 1
                if not log.offline:
                    log.finish_sync(work)
        finally:
            del self._running[log]

    async def wait_until_synced(self, log: PartitionLog | None = None) -> None:
        """Wait until nothing is being synced, or nothing of `log`."""
        while True:
            tasks = [task for owner, task in self._running.items() if log is None or owner is log]
            if not tasks:
                return
            await asyncio.wait(tasks)

    def close(self) -> None:
        """End the worker threads; nothing may be in flight."""
        self._threads.shutdown(wait=False)
