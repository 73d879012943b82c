"""The process that owns Dagster's files: pages behind the guard, daemon, code location and recorder together.

One process takes a third of the memory that Dagster's usual four take, and nothing else ever opens the files.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from dagster import DagsterInstance
from msgspec import Struct, convert

from medkg_lab import credentials, linux, process, rpc, settings
from medkg_lab.clocks import SteadyClock
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.callers import LabProcessContext
from medkg_lab.orchestration.compat import create_pages
from medkg_lab.orchestration.connections import STOP_TIMEOUT_S, PagesServer, limit_repeated_lines, listeners
from medkg_lab.orchestration.daemon import Daemons, gates_pending
from medkg_lab.orchestration.instance import folder, open_instance
from medkg_lab.orchestration.issuer import authenticator
from medkg_lab.orchestration.logins import CODE_S, Logins
from medkg_lab.orchestration.recorder import Recorder
from medkg_lab.orchestration.reload import Reloader
from medkg_lab.orchestration.run_reader import MAX_RUNS, read_runs
from medkg_lab.orchestration.runs import RecordedRuns
from medkg_lab.orchestration.web import WebGuard
from medkg_lab.orchestration.workspace import load_target
from medkg_lab.ports import lab_ports
from medkg_lab.topology.catalog import Catalog

logger = logging.getLogger("dagsterd")

NAME = "dagsterd"
POLL_INTERVAL_S = 2.0


def main() -> None:
    """Run until SIGTERM."""
    _, locations = process.arguments(NAME)
    for talkative in ("alembic", "dagster.daemon"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    stopping = process.Stopping()
    stopping.listen()
    limit_repeated_lines()
    open_files = linux.raise_open_files()
    chosen = lab_ports(locations).dagster
    sockets = listeners(chosen)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(open_instance(locations))
        chosen_settings = settings.load(locations)
        keep = chosen_settings.dagster
        recorder = Recorder(
            instance, folder(locations), LedgerClient(locations.socket("ledger")), keep, ages=SteadyClock()
        )
        thread = recorder.start(stopping)
        context = stack.enter_context(LabProcessContext(instance, load_target()))
        sensor_client = LedgerClient(locations.socket("ledger"), deadline=POLL_INTERVAL_S)
        Reloader(Catalog(locations), context).start(stopping)
        daemons = Daemons(context, instance, gates_pending(sensor_client))
        pages = create_pages(context)
        token, name = credentials.dagster_token(locations), credentials.dagster_host(locations)
        access_log = AccessLog(LedgerClient(locations.socket("ledger"), deadline=POLL_INTERVAL_S))
        access_log.start(stopping)
        tokens = authenticator(chosen_settings.auth, locations)
        guard = WebGuard(pages, token, name, chosen, Logins(), tokens, access_log)
        logger.info("pages ready after %.1f s", time.monotonic() - began)
        server = _Server(guard, open_files)
        handlers = _handlers(instance, recorder) | _login_handler(guard)
        asyncio.run(_serve(server, sockets, locations.socket(NAME), handlers))
        stopping.stop()
        # Both are daemon threads that hold nothing to be saved: the recorder's writes are whole or not at all.
        daemons.stop(STOP_TIMEOUT_S)
        thread.join(STOP_TIMEOUT_S)


class _Server(PagesServer):
    """A server that says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()
            process.announce(NAME, url=f"http://{host}:{port}/")


async def _serve(
    server: _Server, sockets: list[socket.socket], path: Path, handlers: Mapping[str, rpc.Handler]
) -> None:
    readers = await rpc.serve(path, handlers)
    async with readers:
        await server.serve(sockets)


def _login_handler(guard: WebGuard) -> dict[str, rpc.Handler]:
    async def login(args: rpc.Arguments) -> dict[str, object]:
        """An address for a browser; only the lab's user is answered on the socket."""
        return {"url": guard.login_url(str(args.get("page", "/"))), "seconds": CODE_S}

    return {"login": login}


class _Wanted(Struct):
    """Which page of runs is wanted."""

    after: str | None = None
    limit: int = MAX_RUNS


def _handlers(instance: DagsterInstance, recorder: Recorder) -> dict[str, rpc.Handler]:
    async def runs(args: rpc.Arguments) -> RecordedRuns:
        wanted = convert(args, _Wanted)
        return await asyncio.to_thread(read_runs, instance, wanted.after, wanted.limit)

    async def health(_: rpc.Arguments) -> dict[str, object]:
        return {"position": recorder.position, "lag_seconds": recorder.lag_seconds, "error": recorder.error}

    return {"runs": runs, "health": health}
