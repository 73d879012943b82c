"""Calling a function with a time limit that holds even if the function does not return."""

import contextvars
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TimedOut(Exception):
    """The function did not end in time; its thread goes on and its outcome will be ignored."""


class _Outcome(Generic[T]):
    def __init__(self) -> None:
        self.result: list[T] = []
        self.error: BaseException | None = None
        self.done = threading.Event()


def call_within(function: Callable[[], T], seconds: float, name: str) -> T:
    """Call `function` in a thread of its own and wait for at most `seconds`. Raises TimedOut, or what `function` raises.

    A thread cannot be stopped: after TimedOut it is left behind, as a daemon, until its call ends by itself.
    """
    outcome: _Outcome[T] = _Outcome()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.result.append(context.run(function))
        # The thread is the boundary: whatever ends the call is raised again in the thread that waits for it.
        except BaseException as error:  # noqa: BLE001
            outcome.error = error
        finally:
            outcome.done.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    if not outcome.done.wait(seconds):
        raise TimedOut
    if outcome.error is not None:
        raise outcome.error
    return outcome.result[0]
