"""Which addresses a foreign record may name, and connections that go to the address that was checked.

A name is looked up once: every address that it has is judged, and one of those is connected to. Looking it up again for the
connection would let a name server give a public address to the check and a private one to the connection (DNS rebinding).
"""

import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import Any

import httpcore
import httpx

from medkg_lab.event_loop import in_thread

IPV4_NOT_PUBLIC = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
"""Source: the IANA IPv4 special-purpose registry; 224.0.0.0/4 is multicast, 240.0.0.0/4 ends in the broadcast address."""
IPV6_PUBLIC = ipaddress.IPv6Network("2000::/3")
"""All that is handed out as global unicast (RFC 4291): loopback, mapped, IPv4-compatible, NAT64, unique local, link-local and
multicast addresses lie outside."""
IPV6_NOT_PUBLIC = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""Source: the IANA IPv6 special-purpose registry. 2001::/23 holds Teredo and benchmarking; Teredo and 6to4 (2002::/16) carry an
IPv4 address inside, which may be private."""
WEB_PORTS = (80, 443)
FIRST_FREE_PORT = 1024
OTHER_PROTOCOLS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080, *range(6665, 6670)}
)
"""Ports of 1024 and above where another protocol answers. Source: the Fetch standard's "bad ports"."""


class AddressRefused(Exception):
    """An address that must not be connected to; the text says why."""


def is_public(address: str) -> bool:
    """Whether an IP address, without a zone, belongs to the public Internet."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in IPV4_NOT_PUBLIC)
    return found in IPV6_PUBLIC and not any(found in network for network in IPV6_NOT_PUBLIC)


def why_refused(url: httpx.URL) -> str:
    """Why a foreign record may not name this address, as far as it shows before the name is looked up; empty when it may."""
    port = port_of(url)
    if url.scheme not in ("http", "https") or not url.host:
        return "it is neither http nor https"
    if url.userinfo:
        return "it carries a user name"
    if not is_port(port) or (port < FIRST_FREE_PORT and port not in WEB_PORTS) or port in OTHER_PROTOCOLS:
        return f"port {port} is not used for web pages"
    return ""


def port_of(url: httpx.URL) -> int:
    """The port that an http or https address leads to."""
    return url.port if url.port is not None else 443 if url.scheme == "https" else 80


def is_port(number: int) -> bool:
    """Whether a TCP port can have this number."""
    return 0 < number < 1 << 16


class PublicBackend(httpcore.AsyncNetworkBackend):
    """Connects to names all of whose addresses are public. Raises AddressRefused for others."""

    def __init__(self) -> None:
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers."""
        until = None if timeout is None else time.monotonic() + timeout
        failure: Exception = httpcore.ConnectError("this name has no address")
        addresses = await in_thread(partial(public_addresses, host, port), "look-up")
        for number, address in enumerate(addresses):
            # What is left is shared among the addresses, so that one that never answers does not use up all of it.
            left = None if until is None else max(0.001, (until - time.monotonic()) / (len(addresses) - number))
            try:
                return await self._sockets.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no address of a record leads to a Unix socket."""
        raise AddressRefused("it is a Unix socket")


def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of `host`, looked up once. Raises AddressRefused unless all are public, ConnectError when there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"no address for this name: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    if not all(map(is_public, addresses)):
        raise AddressRefused("its host is on an address that is not public")
    return addresses


class PoolTransport(httpx.AsyncBaseTransport):
    """httpx over a pool of connections that a given backend makes, without anything from the environment."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, context: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises httpx.TransportError and what the backend raises."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors():
            answer = await self._pool.handle_async_request(asked)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close the connections that were kept open."""
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextlib.contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except httpcore.ProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except (httpcore.NetworkError, httpcore.UnsupportedProtocol) as error:
        raise httpx.NetworkError(str(error) or type(error).__name__) from error
