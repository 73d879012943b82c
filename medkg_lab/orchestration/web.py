"""The guard before Dagster's pages: a token on every request and websocket, and only from this machine's own address.

A page of Dagster can start and end runs, so a foreign web site must not reach it through the browser: the Host header is
checked against DNS rebinding, the Origin header against cross-site requests.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "medkg_lab_token"
PARAMETER = "token"
HOSTS = ("127.0.0.1", "localhost")
POLICY_VIOLATION = 1008
"""The websocket close code for a refused connection (RFC 6455, section 7.4.1)."""
_REFUSED = b"This page needs the lab's token: open it from `medkg-lab status`, or with ?token=... in the address.\n"


class TokenGate:
    """An ASGI application that lets only requests with the token through to `app`.

    The token comes as `Authorization: Bearer`, as a cookie, or once as `?token=` in the address, which is then moved into the
    cookie. The cookie is of the port's host alone, unreadable for scripts, and never sent from other sites.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"{host}:{port}" for host in HOSTS}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        if not self._allowed(headers, asked):
            await _refuse(scope, send)
        elif scope["type"] == "http" and PARAMETER in asked:
            await self._move_token(scope, asked, send)
        else:
            await self._app(scope, receive, send)

    def _allowed(self, headers: Mapping[str, str], asked: Mapping[str, str]) -> bool:
        if headers.get("host") not in self._hosts:
            return False
        if "origin" in headers and headers["origin"] not in self._origins:
            return False
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [bearer if scheme.lower() == "bearer" else "", asked.get(PARAMETER, ""), _cookie(headers)]
        return any(hmac.compare_digest(each.encode(), self._token.encode()) for each in given)

    async def _move_token(self, scope: Scope, asked: Mapping[str, str], send: Send) -> None:
        """Send the browser to the same page without the token in its address, where history and logs would keep it."""
        rest = urlencode({name: value for name, value in asked.items() if name != PARAMETER})
        # A path that began with two slashes would name another host.
        path = "/" + scope["path"].lstrip("/")
        cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [
            ("location", f"{path}?{rest}" if rest else path),
            ("set-cookie", cookie),
            ("cache-control", "no-store"),
        ]
        await _answer(send, 303, headers, b"")


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
    else:
        await _answer(send, 401, [("content-type", "text/plain"), ("www-authenticate", "Bearer")], _REFUSED)


async def _answer(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
