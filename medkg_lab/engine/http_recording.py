"""The outside as one document's stage sees it: made when first used, each exchange labelled and kept."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Unpack

from medkg_lab.event_loop import LoopThread
from medkg_lab.sources.catalog import base_urls
from medkg_lab.sources.exchanges import ArtifactExchangeLog, NoLog, request_key
from medkg_lab.stages.contracts import HttpAnswer, RequestOptions

if TYPE_CHECKING:
    from medkg_lab.sources.http_client import HttpxClient


class SharedHttpClient:
    """One HTTP client for the process, its connections in `loop`.

    `exchanges` are the records of what was exchanged since the last call, as artifacts. Without a `store` nothing is recorded;
    `max_body` is the size in bytes beyond which an answer's body is not.
    """

    def __init__(
        self,
        source_settings: Mapping[str, Mapping[str, Any]],
        store: Callable[[bytes], str] | None,
        max_body: int = 64 * 1024 * 1024,
        loop: LoopThread | None = None,
    ) -> None:
        self._settings = source_settings
        self._log = ArtifactExchangeLog(store, max_body) if store is not None else None
        self._loop = loop
        self._lock = threading.Lock()
        self._client: HttpxClient | None = None

    def client(self) -> "HttpxClient":
        """The HTTP client; an engine that computes never makes one."""
        with self._lock:
            if self._client is None:
                from medkg_lab.sources.http_client import HttpxClient, trusted_hosts

                trusted = trusted_hosts(base_urls(self._settings))
                self._client = HttpxClient(trusted=trusted, log=self._log or NoLog(), loop=self._loop)
            return self._client

    def exchanges(self) -> list[str]:
        """The sha256 of each new record."""
        return self._log.drain() if self._log is not None else []

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()


class RecordingHttpClient:
    """`Outside` for one document in one stage."""

    def __init__(self, shared: SharedHttpClient, job_id: str, stage: str, attempt: int) -> None:
        self._shared = shared
        self._job_id = job_id
        self._stage = stage
        self._attempt = attempt
        self._calls: dict[str, int] = {}

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Exchange one request, as HttpxClient does. Raises what it raises."""
        with self._labelled(method, url, options) as http:
            return http.request(method, url, **options)

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Exchange one request, as HttpxClient does. Raises what it raises."""
        with self._labelled(method, url, options) as http:
            return await http.request_async(method, url, **options)

    def _labelled(self, method: str, url: str, options: RequestOptions) -> "AbstractContextManager[HttpxClient]":
        """The client for this request, which is the n-th of its kind."""
        body = options.get("keyed") or options.get("body")
        asked = request_key(method, f"{url}?{sorted((options.get('params') or {}).items())}", body)
        self._calls[asked] = call = self._calls.get(asked, 0) + 1
        client = self._shared.client()
        return client.labelled(job=self._job_id, stage=self._stage, attempt=self._attempt, call=call)
