"""What a converter exchanges with its server, kept job by job."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from medkg_lab.artifacts.recording import Recording
from medkg_lab.settings import RecordingSettings
from medkg_lab.sources.exchanges import ArtifactExchangeLog
from medkg_lab.sources.http_client import HttpxClient


@dataclass(frozen=True)
class Exchanges:
    """The way to the server, and the record of it; both are None for a converter without a server."""

    http: HttpxClient | None = None
    log: ArtifactExchangeLog | None = None
    recording: Recording | None = None

    @contextlib.contextmanager
    def of(self, job_id: str, stage: str) -> Iterator[None]:
        """What is exchanged inside the block is for this job."""
        with self.http.labelled(job=job_id, stage=stage) if self.http else contextlib.nullcontext():
            yield

    def taken(self) -> list[str]:
        """The sha256 of each record since the last call; all of them are on disk."""
        records = self.log.drain() if self.log else []
        if self.recording is not None:
            self.recording.commit()
        return records


def recorded(trusted: frozenset[str], recording: Recording | None, limits: RecordingSettings) -> Exchanges:
    """A way to servers at `trusted` hosts, recorded if there is a `recording`."""
    log = ArtifactExchangeLog(recording.store, limits.max_answer_mib * 1024 * 1024) if recording else None
    return Exchanges(HttpxClient(trusted=trusted, log=log), log, recording)
