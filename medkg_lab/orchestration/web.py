"""The guard before Dagster's pages: every request and websocket brings a session or the token, and comes from this lab.

A page of Dagster can start and end runs, so neither a foreign web site nor another user of the machine may reach it. Who may do
what, `admission` decides; this module reads requests for it and carries out what it decides.
"""

import asyncio
import hmac
import os
import re
from urllib.parse import quote_from_bytes, unquote_plus, unquote_to_bytes

from medkg_lab.folders import user_name
from medkg_lab.guard import caller as guard
from medkg_lab.guard.errors import KeysUnavailable, TokenRefused
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.orchestration import callers
from medkg_lab.orchestration.admission import RequestFacts, ServedNames, Verdict, judge
from medkg_lab.orchestration.asgi import App, Message, Receive, Scope, Send
from medkg_lab.orchestration.logins import CODE_S, Logins

PLACE = "Dagster's pages"
"""Where someone logs in, as it is recorded."""
CODE = "code"
"""The parameter of an address that carries a one-time code."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Bytes of a request's body at most; a launch with a large configuration has some 100 kB."""
BODY_TIMEOUT_S = 30.0
MAX_WEBSOCKETS = 64
POLICY_VIOLATION = 1008
"""The websocket close code for a refused connection (RFC 6455, section 7.4.1)."""
SECURITY_HEADERS = (
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Headers of every answer, in place of Dagster's own."""
NO_FRAMES = (b"content-security-policy", b"frame-ancestors 'none'")
"""Stands beside the policy of Dagster's pages: a browser keeps to both."""
_REFUSALS = {
    Verdict.LOGIN_NEEDED: (
        401,
        "Open Dagster with `medkg-lab dagster open`, or with d in the screen: an address opens it once, within "
        f"{CODE_S:.0f} seconds, and for the user who runs the lab.\n",
    ),
    Verdict.FOREIGN: (
        403,
        "This request comes from another site or names another host. Open Dagster with `medkg-lab dagster open`, or paste the "
        "address that `medkg-lab dagster url` prints into the address bar.\n",
    ),
    Verdict.POST_NEEDED: (405, "GraphQL is asked by POST.\n"),
    Verdict.NO_SCOPE: (403, f"The token has neither the scope {guard.Scope.READ} nor {guard.Scope.WRITE}.\n"),
}
_LEADING = re.compile(r"^(?:/|%2F|%5C|%09|%0A|%0D|%20|\.{1,2}(?=/|$))+")
"""What must not follow the first slash of a path."""
_BAD_TOKEN = [(b"www-authenticate", b'Bearer error="invalid_token"')]
"""RFC 6750, section 3."""
_HEADERS_OF = {401: [(b"www-authenticate", b"Bearer")], 405: [(b"allow", b"POST")]}


class WebGuard:
    """An ASGI application that lets only the lab's own user and programs through to `app`.

    `name` is the host name of this lab's pages alone, so that no other port of the machine and no other lab gets their cookie.
    A program sends the lab's token, or one that `tokens` accepts, as `Authorization: Bearer`; a browser exchanges the one-time
    code in its address for a session.
    """

    def __init__(
        self,
        app: App,
        token: str,
        name: str,
        port: int,
        logins: Logins,
        tokens: guard.Authenticator | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        """`access_log` is told of who is let in, and of whom is not."""
        self._app = app
        self._token = token.encode()
        self._logins = logins
        self._tokens = tokens
        self._access_log = access_log
        self._websockets = 0
        self._guarded = ServedNames(
            f"{name}:{port}", frozenset(f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))
        )
        self.cookie = f"medkg_lab_{name.partition('.')[0]}"

    def login_url(self, page: str = "/") -> str:
        """The address of a page with a new one-time code in it."""
        path, _, query = page.partition("?")
        rest = f"{query}&" if query else ""
        return f"http://{self._guarded.host}{_safe_path(path.encode())}?{rest}{CODE}={self._logins.new_code()}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        codes = _values(scope.get("query_string", b""), CODE)
        try:
            caller = await self._caller(scope)
        except (TokenRefused, KeysUnavailable) as error:
            self._note_refusal(scope, str(error))
            await _refuse_token(scope, error, send)
            return
        scope[callers.CALLER] = caller
        callers.act_for(caller)
        asked = self._read(scope, codes, caller)
        verdict = judge(asked, self._guarded)
        if self._access_log is not None and verdict is Verdict.ALLOWED and caller is not None:
            self._access_log.accepted(caller.subject, PLACE, "a token of the issuer", once=True)
        if verdict is not Verdict.ALLOWED:
            self._note_refusal(scope, verdict.value)
            await _refuse(scope, verdict, send)
        elif asked.is_websocket:
            await self._serve_websocket(scope, receive, send)
        elif codes and asked.method == "GET":
            await self._log_in(scope, codes, asked, send)
        else:
            await self._serve(scope, receive, send)

    def _note_refusal(self, scope: Scope, why: str) -> None:
        if self._access_log is not None:
            uid = _peer_uid(scope)
            self._access_log.refused("" if uid is None else user_name(uid), PLACE, why)

    async def _caller(self, scope: Scope) -> guard.Caller | None:
        """Whom a bearer token that is not the lab's own stands for; None without one. Raises TokenRefused, KeysUnavailable."""
        given = _bearer(_headers(scope).get("authorization", []))
        if self._tokens is None or given is None or self._is_own(given):
            return None
        return await self._tokens.caller(given)

    def _read(self, scope: Scope, codes: list[str], caller: guard.Caller | None) -> RequestFacts:
        headers = _headers(scope)
        given = _bearer(headers.get("authorization", []))
        session = any(map(self._logins.is_session, _cookies(headers.get("cookie", []), self.cookie)))
        code = len(codes) == 1 and scope.get("method") == "GET" and self._logins.is_code(codes[0])
        # Both may have been read by someone else: the session from a server on another port, the code from a process list.
        own = (session or code) and _from_owner(scope)
        return RequestFacts(
            headers=headers,
            method=scope.get("method", "GET"),
            path=scope["path"],
            has_query=bool(scope.get("query_string")),
            is_websocket=_is_websocket(scope),
            token=caller is not None or (given is not None and self._is_own(given)),
            scoped=caller is None or caller.may(guard.Scope.READ),
            session=session and own,
            code=code and own,
        )

    def _is_own(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token)

    async def _log_in(self, scope: Scope, codes: list[str], asked: RequestFacts, send: Send) -> None:
        """Send the browser to the same page without the code; a browser that is logged in already may bring a used one."""
        location = _without_code(scope)
        headers = [(b"location", location), (b"cache-control", b"no-store")]
        session = self._logins.exchange(codes[0]) if asked.code else None
        if session is not None:
            if self._access_log is not None:
                self._access_log.accepted(user_name(os.getuid()), PLACE, "a one-time code")
            cookie = f"{self.cookie}={session}; HttpOnly; SameSite=Strict; Path=/"
            headers.append((b"set-cookie", cookie.encode()))
        await _answer(send, 303, headers, "")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in SECURITY_HEADERS}
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in ours]
                message = {**message, "headers": [*kept, *SECURITY_HEADERS, NO_FRAMES]}
            await send(message)

        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                read = await _read_body(receive)
        except TimeoutError:
            await _answer(send, 408, [], "The request did not arrive in time.\n")
            return
        if read is None:
            await _answer(send, 413, [], f"A request has {MAX_BODY_BYTES} bytes at most.\n")
            return
        messages = iter(read)

        async def receive_again() -> Message:
            message = next(messages, None)
            return message if message is not None else await receive()

        await self._app(scope, receive_again, send_guarded)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._websockets >= MAX_WEBSOCKETS:
            await _refuse(scope, Verdict.FOREIGN, send)
            return
        self._websockets += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._websockets -= 1


def _is_websocket(scope: Scope) -> bool:
    return bool(scope["type"] == "websocket")


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _bearer(values: list[str]) -> str | None:
    """The token of an Authorization header (RFC 6750, section 2.1)."""
    scheme, _, given = (values[0] if values else "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def _from_owner(scope: Scope) -> bool:
    """Whether the other end of the connection belongs to the lab's user, or to root, who may read everything anyway."""
    return _peer_uid(scope) in (os.getuid(), 0)


def _peer_uid(scope: Scope) -> int | None:
    """The user at the other end of the connection, if that can be seen."""
    ask = scope.get("state", {}).get("peer_uid")
    uid: int | None = None if ask is None else ask()
    return uid


async def _read_body(receive: Receive) -> list[Message] | None:
    """The messages of a whole request; None when its body is too large."""
    messages, size = [], 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages


def _cookies(headers: list[str], name: str) -> list[str]:
    """The values of the cookie `name`; whatever else stands in the headers (RFC 6265, section 5.4) is passed over."""
    pairs = (pair.strip().partition("=") for header in headers for pair in header.split(";"))
    return [value.strip('"') for found, _, value in pairs if found == name]


def _values(query: bytes, name: str) -> list[str]:
    """The values of a parameter of an address."""
    pairs = (part.partition("=") for part in query.decode("latin-1").split("&"))
    return [unquote_plus(value) for found, _, value in pairs if unquote_plus(found) == name]


def _without_code(scope: Scope) -> bytes:
    """The path and query of a request without the one-time code."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    parts = scope.get("query_string", b"").split(b"&")
    kept = [part for part in parts if part and not _values(part, CODE)]
    query = quote_from_bytes(b"&".join(kept), safe="%=&+:/?@!$'()*,;~[]{}|")
    return f"{_safe_path(raw)}{'?' if query else ''}{query}".encode("ascii")


def _safe_path(raw: bytes) -> str:
    """A path, given in its encoded form, as it can stand in a Location header: one slash first, and ASCII alone.

    Two slashes, or a slash and a backslash, would name another host; a line break would begin another header.
    """
    parts = (quote_from_bytes(unquote_to_bytes(part), safe=":@!$&'()*+,;=~") for part in raw.split(b"/"))
    return "/" + _LEADING.sub("", "/".join(parts))


async def _refuse(scope: Scope, verdict: Verdict, send: Send) -> None:
    if _is_websocket(scope):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    status, text = _REFUSALS[verdict]
    await _answer(send, status, [*_HEADERS_OF.get(status, []), (b"cache-control", b"no-store")], text)


async def _refuse_token(scope: Scope, error: TokenRefused | KeysUnavailable, send: Send) -> None:
    if _is_websocket(scope):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
    elif isinstance(error, TokenRefused):
        await _answer(send, 401, [*_BAD_TOKEN, (b"cache-control", b"no-store")], f"{error}\n")
    else:
        await _answer(
            send, 503, [(b"cache-control", b"no-store")], "The keys for tokens cannot be had now. Try again.\n"
        )


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], text: str) -> None:
    """A short answer of the guard's own. The connection ends with it, so that whoever is refused does not hold one."""
    own = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    raw = [*own, *headers, *SECURITY_HEADERS, NO_FRAMES]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
