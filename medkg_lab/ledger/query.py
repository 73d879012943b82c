"""The lab's own questions to the views, answered in threads of their own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from medkg_lab.ledger.answers import GateRow, JobRow, Selected
from medkg_lab.ledger.ports import JobQuestions, JobViews

T = TypeVar("T")

MAX_ROWS = 100_000
MAX_QUERY_S = 300.0
MAX_GATES = 10_000
FILTERS = {
    "state": "state",
    "pipeline": "pipeline_name",
    "doc": "doc_id",
    "tenant": "tenant_id",
    "correlation": "correlation_id",
    "source": "source",
}
"""What a list of jobs can be narrowed down by, with the columns."""


class QueryService:
    """Answers questions in threads of its own, each of which sees the views at one moment.

    A SELECT waits for other SELECTs, never for the lists, and no commit waits for either.
    """

    def __init__(self, views: JobViews) -> None:
        self._views = views
        self._own = ThreadPoolExecutor(1, "views")
        self._selects = ThreadPoolExecutor(2, "rows")

    async def jobs(self, filters: dict[str, str], limit: int, after: str | None) -> list[JobRow]:
        """The newest jobs that fit `filters`, from the one after job `after` on."""
        return await self._in(self._own, lambda questions: questions.jobs(filters, limit, after))

    async def gates(self, state: str | None) -> list[GateRow]:
        """The gates in `state`, or all; those that wait longest first."""
        return await self._in(self._own, lambda questions: questions.gates(state))

    async def rows(self, sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> Selected:
        """The first `limit` rows of a SELECT. Raises QueryRefused, QueryFailed and QueryTimeout."""
        return await self._in(self._selects, lambda questions: questions.select(sql, parameters, limit, timeout_s))

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[JobQuestions], T]) -> T:
        def run() -> T:
            with self._views.questions() as questions:
                return work(questions)

        return await asyncio.get_running_loop().run_in_executor(pool, run)

    def close(self) -> None:
        """Wait for what is being answered."""
        self._own.shutdown(cancel_futures=True)
        self._selects.shutdown(cancel_futures=True)
