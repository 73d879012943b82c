"""What an HTTP library of someone else's sends, sent by the context's way to the outside."""

import contextlib
from collections.abc import Iterator

import httpx

from medkg_lab.errors import LabError
from medkg_lab.stages.contracts import HttpClient

_MAX_BYTES = 256 * 1024 * 1024
_DROPPED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""The answer's bytes are decoded already."""


class HttpClientTransport(httpx.BaseTransport):
    """Sends requests by the `Outside` that is lent for the time of a call; the address must be the lab's own choice."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout = timeout_seconds
        self._http: HttpClient | None = None

    @contextlib.contextmanager
    def lent(self, http: HttpClient) -> Iterator[None]:
        """Requests inside the block go by `http`."""
        self._http = http
        try:
            yield
        finally:
            self._http = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises httpx.TransportError, with the words of what Outside raised."""
        assert self._http is not None, "a request is sent inside of lent()"
        headers = {name: value for name, value in request.headers.items() if name in ("accept", "content-type")}
        if authorization := request.headers.get("authorization"):
            headers["authorization"] = authorization
        try:
            answer = self._http.request(
                request.method,
                str(request.url),
                headers=headers,
                body=request.read(),
                timeout=self._timeout,
                max_bytes=_MAX_BYTES,
                endpoint=True,
            )
        except LabError as error:
            raise httpx.TransportError(str(error), request=request) from error
        kept = {name: value for name, value in answer.headers.items() if name not in _DROPPED}
        return httpx.Response(answer.status, headers=kept, content=answer.body, request=request)
