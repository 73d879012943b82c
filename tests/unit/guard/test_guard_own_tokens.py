"""The lab's own tokens: what opens, what does not, and what the HTTP API tells of it."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from medkg_lab.api.access import Access
from medkg_lab.api.errors import ScopeMissing, TokenMissing
from medkg_lab.guard import own_tokens
from medkg_lab.guard.caller import Scope
from medkg_lab.guard.errors import TokenRefused
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.ledger.client import LedgerClient
from tests.unit.ledger.test_ledger_acts import Ledger


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
        (None, None),
    ],
)
def test_a_token_stands_behind_the_word_bearer(header: str | None, token: str | None) -> None:
    assert own_tokens.bearer(header) == token


def test_only_what_is_in_the_file_opens(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert not own_tokens.opens(path, "")
    path.write_text("")
    assert not own_tokens.opens(path, "")
    path.write_text("abc\n")
    assert own_tokens.opens(path, "abc")
    assert not any(own_tokens.opens(path, other) for other in ("ab", "abcd", "ABC", "äbc", "\udcff"))


def test_the_http_api_tells_whom_it_let_in_and_refused(tmp_path: Path) -> None:
    (tmp_path / "read").write_text("reader")
    ledger = Ledger()
    log = AccessLog(cast(LedgerClient, ledger))
    access = Access({Scope.READ: tmp_path / "read"}, None, log)
    for _ in range(3):
        assert asyncio.run(access.caller("Bearer reader", Scope.READ)).subject == "api"
    for header, scope, error in (
        (None, Scope.READ, TokenMissing),
        ("Bearer nobody", Scope.READ, TokenRefused),
        ("Bearer reader", Scope.WRITE, ScopeMissing),
    ):
        with pytest.raises(error):
            asyncio.run(access.caller(header, scope))
    log.flush()
    assert [(one.action, one.by, one.count) for one in ledger.acts] == [
        ("login.accepted", "api", 1),
        *[("login.refused", "", 1)] * 3,
    ]
