"""When the addresses and the token of Dagster's pages are given out."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from medkg_lab import credentials, linux, rpc
from medkg_lab.errors import LabError, LabNotRunning
from medkg_lab.lab import dagster_access
from medkg_lab.lab.dagster_access import DagsterAccess, DagsterNotReady, DagsterPortForeign, open_in_browser
from medkg_lab.locations import Locations, locate
from medkg_lab.ports import lab_ports
from medkg_lab.supervisor.answers import LabStatus
from medkg_lab.supervisor.client import SupervisorClient
from tests import answers


class Supervisor:
    """A supervisor that says what a test wants of dagsterd; None stands for one that does not run."""

    def __init__(self, state: str | None) -> None:
        self._state = state

    def is_running(self) -> bool:
        return self._state is not None

    def status(self) -> LabStatus:
        return answers.lab(answers.process("broker"), answers.process("dagsterd", self._state or "absent"))


def access(locations: Locations, state: str | None = "ready") -> DagsterAccess:
    return DagsterAccess(locations, cast(SupervisorClient, Supervisor(state)))


@pytest.fixture
def locations(short_tmp: Path) -> Locations:
    made = locate(short_tmp)
    made.create()
    return made


@contextmanager
def listening(locations: Locations) -> Iterator[None]:
    """Someone listens on the port of the pages, and dagsterd's socket gives out an address."""

    async def login(args: dict[str, Any]) -> dict[str, Any]:
        return {"url": f"http://lab.localhost{args['page']}?code=1"}

    loop, opened, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with await rpc.serve(locations.socket("dagsterd"), {"login": login}):
            opened.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert opened.wait(10)
    try:
        with socket.create_server(("127.0.0.1", lab_ports(locations).dagster)):
            yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def test_a_ready_dagster_of_our_own_is_opened(locations: Locations) -> None:
    with listening(locations):
        assert access(locations).url("/runs") == "http://lab.localhost/runs?code=1"
        assert access(locations).link().to_json() == {"dagster_url": "http://lab.localhost/?code=1"}
        assert access(locations).token() == credentials.dagster_token(locations)


@pytest.mark.parametrize(
    ("state", "error"), [(None, LabNotRunning), ("starting", DagsterNotReady), ("given_up", DagsterNotReady)]
)
def test_nothing_is_given_out_before_it_is_ready(
    locations: Locations, state: str | None, error: type[LabError]
) -> None:
    with listening(locations):
        for give in (access(locations, state).url, access(locations, state).token):
            with pytest.raises(error):
                give()
        assert access(locations, state).link().url is None


def test_nothing_is_given_out_while_nobody_listens(locations: Locations) -> None:
    with pytest.raises(DagsterNotReady):
        access(locations).token()


def test_nothing_is_given_out_while_another_user_listens(locations: Locations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "listener_uid", lambda port: os.getuid() + 1)
    with listening(locations):
        for give in (access(locations).url, access(locations).token):
            with pytest.raises(DagsterPortForeign, match=f"uid {os.getuid() + 1}"):
                give()
        assert "another user" in str(access(locations).link().error)


def test_no_browser_is_opened_over_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(dagster_access.webbrowser, "open", lambda url: not opened.append(url))
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    assert not open_in_browser("http://lab.localhost/")
    monkeypatch.delenv("SSH_TTY")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert open_in_browser("http://lab.localhost/")
    assert opened == ["http://lab.localhost/"]
