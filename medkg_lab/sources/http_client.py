"""The one way to the outside over HTTP: limits, typed errors, and a record of every exchange.

Neither proxies nor credentials are taken from the environment. An address may only be asked when it is public, or when its host
is one that the settings name: an address in a foreign record must not reach into this machine or its network. Each redirect is
judged like a first address.
"""

import asyncio
import contextlib
import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from importlib.metadata import version
from types import TracebackType
from typing import Self, Unpack
from urllib.parse import urlsplit

import httpcore
import httpx

from medkg_lab.errors import LabError
from medkg_lab.event_loop import LoopThread
from medkg_lab.sources.addresses import AddressRefused, PoolTransport, PublicBackend, is_port, port_of, why_refused
from medkg_lab.sources.errors import (
    AnswerTooBig,
    BadAnswer,
    ForbiddenAddress,
    HttpTimeout,
    RateLimited,
    ServiceUnavailable,
)
from medkg_lab.sources.exchanges import (
    CANCELLED,
    Exchange,
    ExchangeLog,
    NoLog,
    recorded_headers,
    request_key,
    without_secrets,
)
from medkg_lab.stages.contracts import HttpAnswer, RequestOptions

USER_AGENT = f"medkg-lab/{version('medkg-lab')}"
MAX_REDIRECTS = 5
_LABELS: ContextVar[Mapping[str, str | int]] = ContextVar("labels", default={})  # noqa: B039 - never changed


class HttpxClient:
    """`Outside` over HTTP; safe to share between threads, and between tasks of any event loop.

    All connections belong to one loop, that of `loop` or of a thread of its own. `trusted` holds the `host:port` of services that
    the settings name; these may be on private addresses. They have connections of their own, so that no other request is ever
    sent over one of them.
    """

    def __init__(
        self,
        trusted: frozenset[str] = frozenset(),
        log: ExchangeLog | None = None,
        now: Callable[[], float] = time.time,
        user_agent: str = USER_AGENT,
        loop: LoopThread | None = None,
    ) -> None:
        self._trusted = trusted
        self._log: ExchangeLog = log or NoLog()
        self._now = now
        self._loop = loop or LoopThread("http")
        self._owns_loop = loop is None
        headers = {"user-agent": user_agent}
        context = httpx.create_ssl_context(trust_env=False)
        self._public, self._named = (
            httpx.AsyncClient(
                trust_env=False, follow_redirects=False, headers=headers, transport=PoolTransport(backend, context)
            )
            for backend in (PublicBackend(), httpcore.AnyIOBackend())
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that were kept open."""
        if self._loop.is_running:
            self._loop.run(self._close_connections())
        if self._owns_loop:
            self._loop.close()

    async def _close_connections(self) -> None:
        await self._public.aclose()
        await self._named.aclose()

    @contextlib.contextmanager
    def labelled(self, **labels: str | int) -> Iterator[Self]:
        """Say for whom the exchanges inside the block are made: job, stage, attempt."""
        before = _LABELS.set(labels)
        try:
            yield self
        finally:
            _LABELS.reset(before)

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """What `request_async` does, for code that blocks; never from inside the loop."""
        return self._loop.run(self._request(self._build(method, url, options), options, _LABELS.get()))

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Exchange one HTTP request for its answer within `timeout` seconds, following up to five redirects.

        `keyed` stands for the body in the request's key, where the body names what differs from run to run. An `endpoint` is an
        address of the lab's own definitions: it may be on a private address, and every status is returned.

        Answers with a 4xx status other than 429 are returned for the caller to judge. Raises RateLimited (429),
        ServiceUnavailable (5xx, no connection), OutsideTimeout, BadAnswer (not HTTP, too many redirects) - all ServiceError -
        and AnswerTooBig or ForbiddenAddress, which are DocumentError.
        """
        exchange = self._request(self._build(method, url, options), options, _LABELS.get())
        if self._loop.is_current():
            return await exchange
        return await asyncio.wrap_future(self._loop.submit(exchange))

    async def _request(
        self, request: httpx.Request, options: RequestOptions, labels: Mapping[str, str | int]
    ) -> HttpAnswer:
        timeout, endpoint = options["timeout"], options.get("endpoint", False)
        started, clock = self._now(), time.monotonic()
        answer: HttpAnswer | None = None
        failure: BaseException | None = None
        try:
            try:
                async with asyncio.timeout(timeout):
                    answer = await self._converse(request, timeout, options["max_bytes"], endpoint)
            except TimeoutError:
                raise HttpTimeout(host=request.url.host, seconds=timeout) from None
            if not endpoint:
                judge(answer, self._now())
            return answer
        except (LabError, asyncio.CancelledError) as error:
            failure = error
            raise
        finally:
            keyed = options.get("keyed") or options.get("body")
            self._record(request, keyed, answer, failure, started, (time.monotonic() - clock) * 1000, labels)

    def _build(self, method: str, url: str, options: RequestOptions) -> httpx.Request:
        try:
            return self._public.build_request(
                method, url, params=options.get("params"), headers=options.get("headers"), content=options.get("body")
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ForbiddenAddress(url=url, detail=str(error)) from None

    async def _converse(self, request: httpx.Request, timeout: float, max_bytes: int, endpoint: bool) -> HttpAnswer:
        until = time.monotonic() + timeout
        trusted = self._trusted | ({_place(request.url)} if endpoint else set())
        for _ in range(MAX_REDIRECTS + 1):
            client = self._client(request.url, trusted)
            answer, following = await self._exchange(client, request, until, timeout, max_bytes)
            if following is None:
                return answer
            request = following
        raise BadAnswer(host=request.url.host, detail=f"more than {MAX_REDIRECTS} redirects")

    def _client(self, url: httpx.URL, trusted: frozenset[str]) -> httpx.AsyncClient:
        """The connections that may be used for an address. Raises ForbiddenAddress."""
        reason = why_refused(url)
        if url.scheme in ("http", "https") and _place(url) in trusted and is_port(port_of(url)):
            return self._named
        if reason:
            raise ForbiddenAddress(url=without_secrets(str(url)), detail=reason)
        return self._public

    async def _exchange(
        self, client: httpx.AsyncClient, request: httpx.Request, until: float, timeout: float, max_bytes: int
    ) -> tuple[HttpAnswer, httpx.Request | None]:
        host = request.url.host
        left = max(0.001, until - time.monotonic())
        request.extensions = request.extensions | {"timeout": httpx.Timeout(left).as_dict()}
        try:
            response = await client.send(request, stream=True)
            try:
                following = response.next_request
                body = b"" if following else await _read(response, max_bytes)
            finally:
                await response.aclose()
        except AddressRefused as error:
            raise ForbiddenAddress(url=without_secrets(str(request.url)), detail=str(error)) from None
        except httpx.TimeoutException:
            raise HttpTimeout(host=host, seconds=timeout) from None
        except (httpx.RemoteProtocolError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise BadAnswer(host=host, detail=str(error)) from None
        except httpx.TransportError as error:
            raise ServiceUnavailable(host=host, detail=str(error) or type(error).__name__) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status_code, headers, body, str(response.url)), following

    def _record(
        self,
        request: httpx.Request,
        body: bytes | None,
        answer: HttpAnswer | None,
        failure: BaseException | None,
        started: float,
        ms: float,
        labels: Mapping[str, str | int],
    ) -> None:
        url = str(request.url)
        self._log.record(
            Exchange(
                key=request_key(request.method, url, body),
                method=request.method,
                url=without_secrets(url),
                started=started,
                ms=ms,
                status=answer.status if answer else None,
                headers=recorded_headers(answer.headers) if answer else {},
                body=answer.body if answer else b"",
                asked=body or b"",
                final_url=without_secrets(answer.url) if answer else "",
                error="" if failure is None else type(failure).__name__ if isinstance(failure, LabError) else CANCELLED,
                error_fields=_plain(failure.fields) if isinstance(failure, LabError) else {},
                labels=labels,
            )
        )


def trusted_hosts(base_urls: Mapping[str, str] | list[str]) -> frozenset[str]:
    """The `host:port` of addresses that the settings name, as `HttpxClient` wants them; what is not an address names none."""
    found = set()
    for url in base_urls.values() if isinstance(base_urls, Mapping) else base_urls:
        with contextlib.suppress(httpx.InvalidURL, UnicodeError):
            found.add(_place(httpx.URL(url)))
    return frozenset(found)


def _place(url: httpx.URL) -> str:
    return f"{url.host.lower()}:{port_of(url)}"


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes(1 << 16):
        size += len(part)
        if size > max_bytes:
            raise AnswerTooBig(host=response.url.host, what=response.url.path, limit=max_bytes)
        parts.append(part)
    return b"".join(parts)


def _plain(fields: Mapping[str, object]) -> dict[str, str | float | None]:
    """An error's fields as a record can hold them."""
    return {
        name: value if isinstance(value, str | int | float | None) else str(value) for name, value in fields.items()
    }


def judge(answer: HttpAnswer, now: float) -> None:
    """Raise RateLimited for status 429 and ServiceUnavailable for 5xx; `now` is in seconds since the epoch."""
    host = urlsplit(answer.url).hostname or ""
    retry_after = seconds_to_wait(answer.headers.get("retry-after", ""), now)
    if answer.status == 429:
        wait = "" if retry_after is None else f", wait {retry_after:g} s"
        raise RateLimited(host=host, retry_after=retry_after, wait=wait)
    if answer.status >= 500:
        raise ServiceUnavailable(host=host, detail=f"HTTP {answer.status}", retry_after=retry_after)


def seconds_to_wait(retry_after: str, now: float) -> float | None:
    """What a Retry-After header asks for, in seconds: it gives seconds or a date (RFC 9110, section 10.2.3)."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
