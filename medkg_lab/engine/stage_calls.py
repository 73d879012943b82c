"""Calling a stage for a batch's documents: under its policy, together where the stage gains from it, with an outcome for each.

Whatever a stage raises is an outcome: a third party's bug ends its document, never the batch.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from medkg_lab.engine.errors import WrongOutcomes
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.errors import LabError, PartAway, ServiceError
from medkg_lab.event_loop import in_thread
from medkg_lab.logs import fields
from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.policies import ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry, ResilientCall
from medkg_lab.stages.contracts import BatchStage, Lane, StageContext
from medkg_lab.topology.graph import NETWORK_BOUND

logger = logging.getLogger(__name__)

T = TypeVar("T")
IN_FLIGHT = 16
"""Documents for which a stage that waits is called at the same time; a policy's rate limit may allow fewer."""

OnRetry = Callable[[Sequence[int], int, float, BaseException], None]
"""Called with the places of the documents in the call, the failed attempt's number, the pause in seconds, and the error."""


class StageOutcome(NamedTuple):
    """What became of one document in one stage: a value or an error, and its share of the time in milliseconds.

    `waited_ms` is how long the last attempt at it waited for something outside, in a stage that can wait for many.
    """

    ms: float
    value: Any = None
    error: Exception | None = None
    waited_ms: float = 0.0


class StageCalls:
    """One stage for one batch. `offline` says that nothing will go to the network, so no rate limit applies.

    A stage whose `execute` is a coroutine is called for `IN_FLIGHT` documents at a time, any other for one after the other. Calls
    to the network lane's stages have a time-out: one that is overdue is cancelled; a stage that blocks is called in a thread of
    its own, which is left behind, unless `threads` is False.

    `on_document` is called with the place of a document before the stage is called for it alone, without a place where others are
    under way.
    """

    def __init__(
        self,
        built: BuiltStage,
        policy: ResiliencePolicyConfig,
        offline: bool,
        on_retry: OnRetry,
        registry: BreakerRegistry,
        on_document: Callable[[int | None], None] = lambda _: None,
        threads: bool = True,
    ) -> None:
        self._built = built
        self._stage = built.stage
        self._many = built.many
        self._name = built.implementation.name
        self._policy = policy
        self._offline = offline
        self._on_retry = on_retry
        self._on_document = on_document
        self._registry = registry
        self._timed = built.implementation.lane is Lane.NETWORK and not offline
        self._apart = self._timed and threads and not built.waits
        self._by_source = built.implementation.stage_type in NETWORK_BOUND and not offline
        self._calls: dict[str, ResilientCall] = {}
        self._call = self._calling(self._name)

    def _calling(self, key: str) -> ResilientCall:
        if key not in self._calls:
            self._calls[key] = ResilientCall(
                self._policy, key, timed=self._timed, limited=not self._offline, registry=self._registry
            )
        return self._calls[key]

    async def run(self, contexts: Sequence[StageContext], items: Sequence[Any]) -> list[StageOutcome]:
        """One outcome per item, in order.

        What goes to a source has that source's breaker and rate limit: one that is down, or slow, holds up no other.
        """
        places = range(len(items))
        if self._many is not None:
            outcomes: dict[int, StageOutcome] = {}
            await self._together(self._many, contexts, items, places, outcomes)
            return [outcomes[place] for place in places]
        if not self._built.waits:
            return [await self._alone(place, contexts[place], items[place]) for place in places]
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def in_turn(place: int) -> StageOutcome:
            async with slots:
                return await self._alone(place, contexts[place], items[place])

        return list(await asyncio.gather(*map(in_turn, places)))

    async def _alone(self, place: int, context: StageContext, item: Any) -> StageOutcome:
        self._on_document(None if self._built.waits else place)
        call = self._calling(f"{self._name}:{item.source}") if self._by_source else self._call
        waited = 0.0

        async def attempt() -> Any:
            nonlocal waited
            if not self._built.waits:
                return await self._blocking(partial(self._stage.execute, context, item))
            began = time.perf_counter()
            try:
                return await self._stage.execute(context, item)
            finally:
                waited = _since(began)

        began = time.perf_counter()
        try:
            value = await call.call(attempt, partial(self._on_retry, (place,)))
        except Exception as error:  # noqa: BLE001 - boundary to the stage, see above
            return StageOutcome(_since(began), error=self._logged(error), waited_ms=waited)
        return StageOutcome(_since(began), value, waited_ms=waited)

    async def _blocking(self, function: Callable[[], T]) -> T:
        return await in_thread(function, f"call {self._name}") if self._apart else function()

    async def _together(
        self,
        stage: BatchStage,
        contexts: Sequence[StageContext],
        items: Sequence[Any],
        places: Sequence[int],
        outcomes: dict[int, StageOutcome],
    ) -> None:
        """Call for `places` at once. A call that fails is halved until the guilty document stands alone."""
        began = time.perf_counter()

        async def attempt() -> Sequence[Any]:
            given = [contexts[n] for n in places], [items[n] for n in places]
            return self._checked(await self._blocking(partial(stage.execute_many, *given)), len(places))

        try:
            results = await self._call.call(attempt, partial(self._on_retry, places))
        except Exception as error:  # noqa: BLE001 - boundary to the stage, see above
            if len(places) == 1 or isinstance(error, BreakerOpen | PartAway):
                told = self._logged(error)
                outcomes.update({place: StageOutcome(_since(began) / len(places), error=told) for place in places})
                return
            middle = len(places) // 2
            for half in (places[:middle], places[middle:]):
                await self._together(stage, contexts, items, half, outcomes)
            return
        ms = _since(began) / len(places)
        for place, result in zip(places, results, strict=True):
            if isinstance(result, ServiceError):
                await self._together(stage, contexts, items, (place,), outcomes)
            elif isinstance(result, LabError):
                outcomes[place] = StageOutcome(ms, error=result)
            else:
                outcomes[place] = StageOutcome(ms, result)

    def _checked(self, results: Sequence[Any], wanted: int) -> Sequence[Any]:
        if len(results) != wanted:
            raise WrongOutcomes(name=self._name, given=len(results), wanted=wanted)
        # Alone, a document's service error is raised so that the policy retries and counts it.
        if wanted == 1 and isinstance(results[0], ServiceError):
            raise results[0]
        return results

    def _logged(self, error: Exception) -> Exception:
        # Errors of the lab say all there is to say; others are bugs or surprises, whose place in the code is worth a line.
        if not isinstance(error, LabError):
            logger.error(
                "%s raised %s",
                self._name,
                type(error).__name__,
                exc_info=error,
                extra=fields(event="stage.raised"),
            )
        return error


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1e3
