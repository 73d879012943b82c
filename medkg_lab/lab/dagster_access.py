"""The addresses and the token that open Dagster's pages: given out only while it is the lab's own dagsterd that answers there."""

import os
import webbrowser
from collections.abc import Iterable
from typing import NamedTuple

from medkg_lab import credentials, exit_codes, linux
from medkg_lab.errors import LabError, LabNotRunning
from medkg_lab.locations import Locations
from medkg_lab.ports import lab_ports
from medkg_lab.rpc import Client
from medkg_lab.supervisor.answers import ProcessRow
from medkg_lab.supervisor.client import SupervisorClient
from medkg_lab.supervisor.decide import State

PROCESS = "dagsterd"
TIMEOUT_S = 3.0
REMOTE = ("SSH_CONNECTION", "SSH_TTY")


class DagsterNotReady(LabError):
    """Dagster's pages cannot be opened now: dagsterd is {state}. Try again in a moment; `medkg-lab status` shows why."""

    exit_code = exit_codes.NOT_READY


class DagsterPortForeign(LabError):
    """Port {port}, where Dagster's pages should be, belongs to another user (uid {uid}), so nothing secret is sent there. Ask who
    that is, and restart the lab with another port."""

    exit_code = exit_codes.NOT_READY


class DagsterLink(NamedTuple):
    """An address that opens Dagster's pages once, or why there is none."""

    url: str | None
    error: str | None

    def to_json(self) -> dict[str, str | None]:
        """The link as commands print it."""
        found = {"dagster_url": self.url}
        return found if self.error is None else {**found, "dagster_error": self.error}


class DagsterAccess:
    """Gives out one-time addresses, and the token for programs."""

    def __init__(self, locations: Locations, supervisor: SupervisorClient) -> None:
        self._locations = locations
        self._supervisor = supervisor

    @property
    def address(self) -> str:
        """Where programs find Dagster, with the token: no secret is in it."""
        return f"http://127.0.0.1:{self._port}/"

    def url(self, page: str = "/") -> str:
        """The address of a page, such as `/runs/ID`, that opens it once, in a browser of this user, within a minute.

        Raises LabNotRunning, DagsterNotReady, DagsterPortForeign.
        """
        self.require_own()
        with Client(self._locations.socket(PROCESS), deadline=TIMEOUT_S) as client:
            return str(client.call("login", page=page)["url"])

    def token(self) -> str:
        """The token that programs send as `Authorization: Bearer`, until the lab starts again. Raises as `url` does."""
        self.require_own()
        return credentials.dagster_token(self._locations)

    def link(self) -> DagsterLink:
        """The address as `url` gives it, or why there is none now."""
        try:
            return DagsterLink(url=self.url(), error=None)
        except LabError as error:
            return DagsterLink(url=None, error=str(error))

    def require_own(self) -> None:
        """Raise unless the lab's own dagsterd is ready and holds its port."""
        if not self._supervisor.is_running():
            raise LabNotRunning(home=self._locations.home)
        state = state_of(self._supervisor.status().processes)
        if state != State.READY:
            raise DagsterNotReady(state=state)
        if (uid := linux.listener_uid(self._port)) != os.getuid():
            raise (
                DagsterNotReady(state="not listening") if uid is None else DagsterPortForeign(port=self._port, uid=uid)
            )

    @property
    def _port(self) -> int:
        return lab_ports(self._locations).dagster


def state_of(processes: Iterable[ProcessRow]) -> str:
    """What the supervisor says of dagsterd."""
    return next((one.state for one in processes if one.name == PROCESS), "not part of this lab")


def open_in_browser(url: str) -> bool:
    """Open a one-time address in the person's browser; False over SSH and where there is no browser."""
    return not any(os.environ.get(name) for name in REMOTE) and webbrowser.open(url)
