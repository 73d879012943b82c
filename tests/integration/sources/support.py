"""A stage context over a real outside, keeping artifacts in memory's place: a real store in a temporary folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import StageContext
from tests.http_service import HttpService, http_service


class Bench:
    """What a stage needs to run by itself: a service to ask, a store, and a context over both."""

    def __init__(self, service: HttpService, folder: Path) -> None:
        self.service = service
        self.store = ArtifactStore(folder / "artifacts", writer="test")
        self.http = HttpxClient(trusted=frozenset({service.host}))
        self.context = StageContext(
            tenant_id="default",
            job_id="job",
            doc_id="doc",
            correlation_id="",
            pipeline="auto",
            pipeline_version="1.0",
            batch_id="batch",
            stage="ingest",
            attempt=1,
            now=lambda: 0.0,
            content=self.store.get,
            store=self.store.put,
            http=self.http,
        )


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A bench for the time of the block."""
    with http_service() as service:
        made = Bench(service, folder)
        try:
            yield made
        finally:
            made.http.close()
            made.store.close()
