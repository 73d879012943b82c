"""The outside as one document's stage sees it: made when first used, each exchange labelled and kept."""

from collections.abc import Callable, Mapping
from typing import Any

from medkg_lab.sources.catalog import base_urls
from medkg_lab.sources.exchanges import ArtifactExchangeLog, NoLog, request_key
from medkg_lab.stages.contracts import OutsideAnswer


class SharedOutside:
    """One HTTP client for the process. `exchanges` are the records of what was exchanged since the last call, as artifacts.

    Without a `store` nothing is recorded; `max_body` is the size in bytes beyond which an answer's body is not.
    """

    def __init__(
        self,
        source_settings: Mapping[str, Mapping[str, Any]],
        store: Callable[[bytes], str] | None,
        max_body: int = 64 * 1024 * 1024,
    ) -> None:
        self._settings = source_settings
        self._log = ArtifactExchangeLog(store, max_body) if store is not None else None
        self._client: Any = None

    def client(self) -> Any:
        """The HTTP client; an engine that computes never makes one."""
        if self._client is None:
            from medkg_lab.sources.outside import HttpOutside, trusted_hosts

            self._client = HttpOutside(trusted=trusted_hosts(base_urls(self._settings)), log=self._log or NoLog())
        return self._client

    def exchanges(self) -> list[str]:
        """The sha256 of each new record."""
        return self._log.drain() if self._log is not None else []

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()


class DocumentOutside:
    """`Outside` for one document in one stage."""

    def __init__(self, shared: SharedOutside, job_id: str, stage: str, attempt: int) -> None:
        self._shared = shared
        self._job_id = job_id
        self._stage = stage
        self._attempt = attempt
        self._calls: dict[str, int] = {}

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float,
        max_bytes: int,
        keyed: bytes | None = None,
        endpoint: bool = False,
    ) -> OutsideAnswer:
        """Exchange one request, as HttpOutside does. Raises what it raises."""
        asked = request_key(method, f"{url}?{sorted((params or {}).items())}", keyed or body)
        self._calls[asked] = call = self._calls.get(asked, 0) + 1
        labelled = self._shared.client().labelled
        with labelled(job=self._job_id, stage=self._stage, attempt=self._attempt, call=call) as outside:
            answer: OutsideAnswer = outside.request(
                method,
                url,
                params=params,
                headers=headers,
                body=body,
                timeout=timeout,
                max_bytes=max_bytes,
                keyed=keyed,
                endpoint=endpoint,
            )
            return answer
