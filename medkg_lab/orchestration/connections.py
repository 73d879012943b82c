"""The HTTP connections to Dagster's pages: how many there are, and how long one may be silent.

Anyone on the machine can connect, and whoever only connects must not keep the lab's user out. A connection that has not sent a
whole request yet waits in a row of limited length: when the row is full, the one that waits longest goes, so that a new one is
always heard. Nothing is logged for it.
"""

import asyncio
import errno
import functools
import logging
import socket
from typing import Any

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from medkg_lab import linux
from medkg_lab.port_use import in_use
from medkg_lab.process import CannotRun
from medkg_lab.repeats import REPEAT_INTERVAL_S, OnceAMinute

HEAD_TIMEOUT_S = 10.0
"""Seconds within which a request's head must be there."""
MAX_HEAD_BYTES = 32 * 1024
"""Bytes of a request's head at most."""
MAX_WAITING = 512
"""Connections at most that have not sent a whole request."""
MAX_CONNECTIONS = 1024
ACCEPTED_AT_ONCE = 64
"""Far fewer than wait at most, so that a new connection is heard before those that come after it take its place."""
QUEUE = 1024
"""Connections that the kernel holds until they are accepted: with a shorter queue it lets clients try again after a second."""
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
"""Browsers take a name below `localhost` for either address, so the lab has to hold the port of both."""
STRANGERS_WRITE = ("asyncio", "uvicorn.error")
KEEP_ALIVE_S = 5
STOP_TIMEOUT_S = 1
MAX_MESSAGE_BYTES = 1024 * 1024
"""Bytes of one message that a page sends over its websocket at most."""


class WaitingConnections(ServerState):
    """uvicorn's state of a server, and the connections that have not sent a whole request, the oldest first."""

    def __init__(self, at_most: int = MAX_WAITING) -> None:
        super().__init__()
        self.at_most = at_most
        self.waiting: dict[LimitedConnection, None] = {}


class LimitedConnection(H11Protocol):
    """One connection. Its scope's state has `peer_uid`: a function that gives the user at its other end, asked once."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(server_state, WaitingConnections)
        self._state = server_state
        self._too_late: asyncio.TimerHandle | None = None
        self._is_websocket = False
        self.app_state = {**app_state, "peer_uid": functools.cache(self._peer_uid)}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the connection wait for its first request, in the place of the oldest one when there are too many."""
        super().connection_made(transport)
        self._wait()
        if len(self._state.waiting) > self._state.at_most or len(self.connections) > MAX_CONNECTIONS:
            next(iter(self._state.waiting)).drop()

    def data_received(self, data: bytes) -> None:
        """Handle what came; a request that is whole waits no longer."""
        super().data_received(data)
        if self._is_websocket:
            return
        if self.transport.is_closing() or (self.cycle is not None and not self.cycle.response_complete):
            self._wait_no_longer()
        elif self._too_late is None:
            self._wait()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection to the websocket protocol, which pings by itself."""
        self._is_websocket = True
        self._wait_no_longer()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def drop(self) -> None:
        """End the connection at once."""
        self._wait_no_longer()
        self.transport.abort()

    def _wait(self) -> None:
        self._state.waiting[self] = None
        self._too_late = self.loop.call_later(HEAD_TIMEOUT_S, self.drop)

    def _wait_no_longer(self) -> None:
        self._state.waiting.pop(self, None)
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _peer_uid(self) -> int | None:
        if self.client is None or self.server is None or self.server[1] is None:
            return None
        return linux.connection_uid(self.client, self.server)


class PagesServer(Server):
    """A server of an ASGI application with these limits, in a process that may have `open_files` files open."""

    def __init__(self, app: Any, open_files: int) -> None:
        super().__init__(
            Config(
                app,
                http=LimitedConnection,
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                log_level="warning",
                log_config=None,
                # An address may carry a one-time code.
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=ACCEPTED_AT_ONCE,
                limit_concurrency=MAX_CONNECTIONS,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_TIMEOUT_S,
            )
        )
        self.server_state: WaitingConnections = WaitingConnections(min(MAX_WAITING, open_files // 4))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections. asyncio has one number for both queues, so the kernel's is set again afterwards."""
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(QUEUE)


def listeners(port: int, name: str = "dagsterd") -> list[socket.socket]:
    """Sockets of process `name` that listen on `port` of the loopback's addresses. Raises CannotRun when someone else has it."""
    made: list[socket.socket] = []
    try:
        for family, address in LOOPBACK:
            try:
                made.append(_listener(family, address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE or family == socket.AF_INET:
                    raise
                # A machine without IPv6: then no browser asks for that address either.
    except OSError as error:
        for one in made:
            one.close()
        raise CannotRun(process=name, detail=_why_taken(port, name.removesuffix("d"), error)) from None
    return made


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        linux.answer_at_once(listener)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(QUEUE)
    except OSError:
        listener.close()
        raise
    return listener


def _why_taken(port: int, setting: str, error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return f"port {port} of this machine's loopback address cannot be used: {error.strerror}."
    remedy = f"End that, or choose another port with `ports.{setting}` in settings.yaml."
    return f"port {port} is taken by another program: {in_use(port)}. {remedy}"


def limit_repeated_lines(seconds: float = REPEAT_INTERVAL_S) -> None:
    """Have the logs of asyncio and uvicorn, where strangers can cause lines, write each kind of line once a minute."""
    for name in STRANGERS_WRITE:
        logging.getLogger(name).addFilter(OnceAMinute(seconds))
