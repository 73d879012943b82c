"""The guard before Dagster's pages, as an ASGI application."""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.folders import user_name
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration import web
from medkg_lab.orchestration.asgi import Receive, Scope, Send
from medkg_lab.orchestration.logins import Logins
from medkg_lab.orchestration.web import MAX_BODY_BYTES, MAX_WEBSOCKETS, WebGuard
from tests.unit.ledger.test_ledger_acts import Ledger

TOKEN, PORT, NAME = "s3cret-token", 4321, "lab-1.localhost"
OWN = {"host": f"{NAME}:{PORT}"}
TYPED = OWN | {"sec-fetch-site": "none"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of what it was sent, and with headers that Dagster gives."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    message = await receive()
    headers = [
        (b"content-type", b"text/html"),
        (b"Referrer-Policy", b"origin"),
        (b"content-security-policy", b"default-src 'self'"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(len(message["body"])).encode()})


class StoreCall:
    """A guard with its logins, and how a test asks it."""

    def __init__(self, uid: int | None = None) -> None:
        self.logins = Logins()
        self.ledger = Ledger()
        self.access_log = AccessLog(cast(LedgerClient, self.ledger))
        self.guard = WebGuard(pages, TOKEN, NAME, PORT, self.logins, None, self.access_log)
        self.uid = os.getuid() if uid is None else uid

    def ask(
        self,
        headers: Mapping[str, str],
        path: bytes = b"/runs",
        query: bytes = b"",
        method: str = "GET",
        kind: str = "http",
        body: Iterable[bytes] = (b"",),
        peer_uid: Callable[[], int | None] | None = None,
    ) -> list[dict[str, Any]]:
        """The messages that a request is answered with."""
        sent: list[Any] = []
        parts = list(body)

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        scope = {
            "type": kind,
            "method": method,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "query_string": query,
            "raw_path": path,
            "path": path.decode("latin-1"),
            "state": {"peer_uid": peer_uid or (lambda: self.uid)},
        }
        asyncio.run(self.guard(scope, receive, send))
        return sent

    def status(self, headers: Mapping[str, str], **more: Any) -> int:
        """The status of the answer."""
        return int(self.ask(headers, **more)[0]["status"])

    def session(self) -> dict[str, str]:
        """The headers of a browser that is logged in."""
        return TYPED | {"cookie": f"{self.guard.cookie}={self.logins.exchange(self.logins.new_code())}"}


def headers_of(sent: list[dict[str, Any]]) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}


def test_a_code_is_exchanged_once_for_a_session_in_a_cookie() -> None:
    asking = StoreCall()
    address = urlsplit(asking.guard.login_url("/runs/1?view=list"))
    assert (address.netloc, address.path) == (f"{NAME}:{PORT}", "/runs/1")
    query = address.query.encode()
    sent = asking.ask(TYPED, path=b"/runs/1", query=query)
    given = headers_of(sent)
    assert (sent[0]["status"], given["location"], given["cache-control"]) == (303, "/runs/1?view=list", "no-store")
    cookie, *attributes = given["set-cookie"].split("; ")
    assert attributes == ["HttpOnly", "SameSite=Strict", "Path=/"]
    assert cookie.startswith(f"{asking.guard.cookie}=")
    assert TOKEN not in cookie
    assert asking.status(TYPED | {"cookie": cookie}) == 200
    assert asking.status(TYPED, path=b"/runs/1", query=query) == 401, "the code is used up"
    again = asking.ask(TYPED | {"cookie": cookie}, path=b"/runs/1", query=query)
    assert (again[0]["status"], headers_of(again)["location"]) == (303, "/runs/1?view=list")
    assert "set-cookie" not in headers_of(again)


def test_a_code_of_another_user_or_of_nobody_known_opens_nothing_and_is_not_used_up() -> None:
    asking = StoreCall()
    code = asking.logins.new_code()
    for uid in (os.getuid() + 1, None):
        assert asking.status(TYPED, query=f"code={code}".encode(), peer_uid=lambda uid=uid: uid) == 401
    assert asking.status(TYPED, query=f"code={code}".encode()) == 303


def test_a_session_that_another_user_read_opens_nothing() -> None:
    asking = StoreCall()
    session = asking.session()
    assert asking.status(session, peer_uid=lambda: os.getuid() + 1) == 401
    assert asking.status(session, peer_uid=lambda: 0) == 200


@pytest.mark.parametrize(
    "query", [b"token=" + TOKEN.encode(), b"code=", b"code=%00", b"code=x&code=y", b"Code=x", b"%63ode=x"]
)
def test_no_other_address_opens_anything(query: bytes) -> None:
    asking = StoreCall()
    assert asking.status(TYPED, query=query) == 401
    assert asking.status(TYPED, query=query.replace(b"x", asking.logins.new_code().encode()) + b"&code=z") == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic x"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer \xff"},
        {"cookie": "\x00=;;="},
        {"cookie": f"medkg_lab_lab-1={TOKEN}"},
        {"cookie": f"medkg_lab_token={TOKEN}"},
    ],
)
def test_no_other_credential_opens_anything(headers: dict[str, str]) -> None:
    asking = StoreCall()
    assert asking.status(TYPED | headers) == 401
    (closed,) = asking.ask(OWN | headers | {"origin": f"http://{NAME}:{PORT}"}, kind="websocket")
    assert closed["type"] == "websocket.close"


def test_the_token_opens_for_programs() -> None:
    asking = StoreCall(uid=os.getuid() + 1)
    for host in (f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}", f"{NAME}:{PORT}"):
        assert asking.status({"host": host} | BEARER) == 200
    assert asking.ask({"host": f"127.0.0.1:{PORT}"} | BEARER, kind="websocket") == [{"type": "websocket.accept"}]


HOSTILE = [
    b"//evil.example/x",
    b"/\\evil.example",
    b"/%5cevil.example",
    b"/%2f%2fevil.example",
    b"/%2F/evil.example",
    b"/\t//evil.example",
    b"/%09/evil.example",
    b"/%0d%0aSet-Cookie:%20a=b",
    b"/..//evil.example",
    b"/.//evil.example",
    b"/%2e%2e//evil.example",
    "/€".encode(),
    b"/%E2%82%AC",
    b"/\xff\xfe",
    b"/%ff",
    b"/a\nb",
    b"/ //evil.example",
    b"/%20//evil.example",
    b"http://evil.example/",
    b"*",
    b"",
    b"/a//b",
    b"/%",
    b"/%zz",
    b"/;//evil.example",
    b"/@evil.example",
    b"/:80",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_redirect_stays_on_this_host(path: bytes) -> None:
    redirected_well(path, b"")


@given(st.binary(max_size=30), st.binary(max_size=20).filter(lambda rest: b"code" not in rest))
def test_a_redirect_stays_on_this_host_for_any_bytes(path: bytes, rest: bytes) -> None:
    redirected_well(b"/" + path, rest)


def redirected_well(path: bytes, rest: bytes) -> None:
    """A login with this path and further query leads to this host, in ASCII, as a browser reads an address (URL standard)."""
    asking = StoreCall()
    sent = asking.ask(TYPED, path=path, query=b"code=" + asking.logins.new_code().encode() + b"&" + rest)
    assert sent[0]["status"] == 303
    location = dict(sent[0]["headers"])[b"location"].decode("ascii")
    assert location[:1] == "/"
    assert not set(location) & {"\\", "\r", "\n", "\t", " ", "#"}
    assert location[1:2] != "/"
    assert not location.lower().startswith(("/%2f", "/%5c"))
    assert urlsplit(urljoin(f"http://{NAME}:{PORT}/", location)).netloc == f"{NAME}:{PORT}"
    assert "code=" not in location


def test_a_path_and_query_survive_the_redirect() -> None:
    asking = StoreCall()
    query = b"a=%2F&code=" + asking.logins.new_code().encode() + b"&b=c%20d&e"
    sent = asking.ask(TYPED, path=b"/locations/medkg-lab%2Fx/@y", query=query)
    assert headers_of(sent)["location"] == "/locations/medkg-lab%2Fx/@y?a=%2F&b=c%20d&e"


def test_every_answer_forbids_frames_and_referrers() -> None:
    asking = StoreCall()
    answers = [
        asking.ask(asking.session()),
        asking.ask(TYPED),
        asking.ask({}),
        asking.ask(TYPED, path=b"/graphql", query=b"query=x"),
        asking.ask(TYPED, query=b"code=" + asking.logins.new_code().encode()),
    ]
    assert [sent[0]["status"] for sent in answers] == [200, 401, 403, 405, 303]
    for sent in answers:
        pairs = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
        assert ("content-security-policy", "frame-ancestors 'none'") in pairs
        assert [value for name, value in pairs if name == "referrer-policy"] == ["no-referrer"]
        assert dict(pairs)["x-frame-options"] == "DENY"
        assert dict(pairs)["x-content-type-options"] == "nosniff"
    assert (b"content-security-policy", b"default-src 'self'") in answers[0][0]["headers"], "Dagster's own stays"


def test_who_is_refused_does_not_keep_the_connection() -> None:
    assert headers_of(StoreCall().ask(TYPED))["connection"] == "close"


def test_a_body_is_bounded() -> None:
    asking, posted = StoreCall(), OWN | BEARER
    body = [b"x" * 1024] * (MAX_BODY_BYTES // 1024)
    assert asking.ask(posted, method="POST", body=body[:1])[1]["body"] == b"1024"
    assert asking.status(posted, method="POST", body=body) == 200
    assert asking.status(posted, method="POST", body=[*body, b"x"]) == 413


def test_a_body_that_does_not_arrive_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "BODY_TIMEOUT_S", 0.01)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in (OWN | BEARER).items()],
    }
    asyncio.run(StoreCall().guard(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


def test_the_number_of_websockets_is_bounded() -> None:
    opened: list[str] = []
    answered, ended = asyncio.Event(), asyncio.Event()

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await ended.wait()

    guard = WebGuard(page, TOKEN, NAME, PORT, Logins())

    async def send(message: Any) -> None:
        opened.append(message["type"])
        if len(opened) > MAX_WEBSOCKETS:
            answered.set()

    async def many() -> None:
        headers = [(name.encode(), value.encode()) for name, value in (OWN | BEARER).items()]
        scope = {"type": "websocket", "path": "/graphql", "query_string": b"", "headers": headers}
        tasks = [asyncio.create_task(guard(scope, asyncio.Event().wait, send)) for _ in range(MAX_WEBSOCKETS + 1)]  # type: ignore[arg-type]
        await answered.wait()
        ended.set()
        await asyncio.gather(*tasks)
        await guard(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]

    asyncio.run(many())
    assert opened == ["websocket.accept"] * MAX_WEBSOCKETS + ["websocket.close", "websocket.accept"]


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_other_token_opens(guess: str) -> None:
    if guess.strip() != TOKEN:
        assert StoreCall().status(OWN | {"authorization": f"Bearer {guess}"}) == 401


def test_who_logs_in_and_who_is_refused_is_noted() -> None:
    call = StoreCall()
    own = {"Host": f"{NAME}:{PORT}"}
    code = call.logins.new_code().encode()
    call.ask({k.lower(): v for k, v in own.items()}, query=b"code=" + code)
    for _ in range(3):
        call.ask({k.lower(): v for k, v in own.items()}, peer_uid=lambda: 0)
    call.ask({"host": "attacker.example"}, peer_uid=lambda: None)
    call.access_log.flush()
    who = user_name(os.getuid())
    assert [(one.action, one.by, one.why, one.count) for one in call.ledger.acts] == [
        ("login.accepted", who, "a one-time code", 1),
        ("login.refused", user_name(0), "login needed", 3),
        ("login.refused", "", "foreign", 1),
    ]
