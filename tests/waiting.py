"""Waiting for conditions in tests: the one place that sleeps, always with a time-out."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from medkg_lab.repro.virtual_time import VirtualLoop

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, what: str = "the condition") -> T:
    """Poll `predicate` every 20 ms until it returns something true and return that; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout} s; last value: {value!r}")
        time.sleep(0.02)


async def let_pass(seconds: float) -> None:
    """Wait in a test's virtual time, which costs none."""
    assert isinstance(asyncio.get_running_loop(), VirtualLoop), "real time is not waited for"
    await asyncio.sleep(seconds)
