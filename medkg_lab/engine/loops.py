"""Where an engine's stages are called: those that wait in one event loop, those that compute in the batch's own thread."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.event_loop import LoopThread
from medkg_lab.stages.contracts import Lane

T = TypeVar("T")


class Loops(Protocol):
    """Runs a stage's calls for a batch. `threads` says whether calls that block may have threads of their own."""

    threads: bool

    def run(self, built: BuiltStage, calls: Coroutine[Any, Any, T]) -> T:
        """Run `calls` to their end. Raises what they raise."""
        ...


class EngineLoops:
    """The loops of an engine: `network`, which its connections belong to, and one that only ever runs in the batches' thread."""

    threads = True

    def __init__(self, network: LoopThread) -> None:
        self._network = network
        self._own = asyncio.Runner()

    def run(self, built: BuiltStage, calls: Coroutine[Any, Any, T]) -> T:
        """Run `calls` to their end. Raises what they raise."""
        if built.waits or built.implementation.lane is Lane.NETWORK:
            return self._network.run(calls)
        return self._own.run(calls)

    def close(self) -> None:
        """End both loops."""
        self._own.close()
        self._network.close()
