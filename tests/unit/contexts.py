"""A stage context whose artifact store is a dictionary."""

import hashlib
from collections.abc import Callable
from typing import NoReturn

from medkg_lab.stages.contracts import HttpClient, StageContext


class NoOutside:
    """The outside of a stage that has no business there."""

    def request(self, *arguments: object, **options: object) -> NoReturn:
        raise AssertionError(f"a stage reached for the outside: {arguments} {options}")

    async def request_async(self, *arguments: object, **options: object) -> NoReturn:
        raise AssertionError(f"a stage reached for the outside: {arguments} {options}")


def stage_context(
    doc_id: str = "test:1", stage: str = "stage", http: HttpClient | None = None
) -> tuple[StageContext, Callable[[bytes], str]]:
    """A context, and the function that puts bytes into its store."""
    kept: dict[str, bytes] = {}

    def store(data: bytes) -> str:
        sha = hashlib.sha256(data).hexdigest()
        kept[sha] = data
        return sha

    context = StageContext(
        tenant_id="default",
        job_id="job-1",
        doc_id=doc_id,
        correlation_id="correlation-1",
        pipeline="auto",
        pipeline_version="1.0",
        batch_id="batch-1",
        stage=stage,
        attempt=1,
        now=lambda: 0.0,
        content=kept.__getitem__,
        store=store,
        http=http or NoOutside(),
    )
    return context, store
