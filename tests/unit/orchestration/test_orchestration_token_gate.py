"""The guard before Dagster's pages."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.orchestration.web import COOKIE, Receive, Scope, Send, TokenGate

TOKEN, PORT = "s3cret-token", 4321
HOST = {"host": f"127.0.0.1:{PORT}"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "reached"})


def ask(headers: Mapping[str, str], query: str = "", kind: str = "http", path: str = "/runs") -> list[dict[str, Any]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": kind, "headers": raw, "query_string": query.encode(), "path": path}
    asyncio.run(TokenGate(application, TOKEN, PORT)(scope, receive, send))
    return sent


def reached(headers: Mapping[str, str], query: str = "", kind: str = "http") -> bool:
    return ask(headers, query, kind) == [{"type": "reached"}]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_token_opens(kind: str) -> None:
    assert reached(HOST | BEARER, kind=kind)
    assert reached(HOST | {"cookie": f"a=b; {COOKIE}={TOKEN}"}, kind=kind)
    assert reached({"host": f"localhost:{PORT}"} | BEARER | {"origin": f"http://localhost:{PORT}"}, kind=kind)


@pytest.mark.parametrize(
    "headers",
    [
        HOST,
        HOST | {"authorization": "Bearer wrong"},
        HOST | {"authorization": f"Basic {TOKEN}"},
        HOST | {"cookie": f"{COOKIE}=wrong"},
        HOST | {"cookie": "\x00=;;="},
        BEARER,
        {"host": f"evil.example:{PORT}"} | BEARER,
        {"host": "127.0.0.1:1"} | BEARER,
        HOST | BEARER | {"origin": "http://evil.example"},
        HOST | BEARER | {"origin": "null"},
        HOST | BEARER | {"origin": "http://127.0.0.1:1"},
    ],
)
def test_everything_else_is_refused(headers: dict[str, str]) -> None:
    start, _ = ask(headers)
    assert start["status"] == 401
    (closed,) = ask(headers, kind="websocket")
    assert closed["type"] == "websocket.close"


def test_a_token_in_the_address_moves_into_a_cookie() -> None:
    start, _ = ask(HOST, f"token={TOKEN}&view=list", path="/runs/1")
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (start["status"], headers["location"]) == (303, "/runs/1?view=list")
    assert headers["set-cookie"] == f"{COOKIE}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"


def test_the_address_cannot_name_another_site() -> None:
    start, _ = ask(HOST, f"token={TOKEN}", path="//evil.example/x")
    assert dict(start["headers"])[b"location"] == b"/evil.example/x"


def test_a_wrong_token_in_the_address_is_refused() -> None:
    assert ask(HOST, "token=wrong")[0]["status"] == 401


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_other_token_opens(guess: str) -> None:
    if guess != TOKEN:
        assert not reached(HOST | {"authorization": f"Bearer {guess}"})
        assert not reached(HOST | {"cookie": f"{COOKIE}={guess}"})
