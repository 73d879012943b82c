"""An event loop for code that runs in threads: in a thread of its own, and threads for code that blocks."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

CLOSE_WAIT_S = 1.0
"""How long the end of the loop is waited for: what blocks it must not hold up the end of the process."""


class LoopThread:
    """An event loop in a daemon thread that starts at the first call; any thread may use it but its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether there was a call, and no `close` since."""
        return self._loop is not None

    def is_current(self) -> bool:
        """Whether the caller runs inside this loop."""
        return self._thread is threading.current_thread()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start `coroutine` in the loop; cancelling the future cancels it there."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` in the loop and wait for it. Raises what it raises."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            # A KeyboardInterrupt comes to the waiting thread, not to the loop.
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs and end the thread; a later call starts another."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSE_WAIT_S)

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        finally:
            loop.close()


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Call `function`, which blocks, in a daemon thread of its own. Raises what it raises.

    A thread cannot be stopped: when the waiting task is cancelled it is left behind until its call ends by itself, and does not
    hold up the end of the process, as the threads of `asyncio.to_thread` would.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def set_result(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = context.run(function)
        # The thread is the boundary: whatever ends the call is raised again in the task that waits for it.
        except BaseException as error:  # noqa: BLE001
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(set_result, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
