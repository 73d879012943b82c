"""The process that owns Dagster's files: pages behind the guard, daemon, code location and recorder together.

One process takes a third of the memory that Dagster's usual four take, and nothing else ever opens the files.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver.app import create_app_from_workspace_process_context

from medkg_lab import credentials, process, rpc, settings
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations
from medkg_lab.orchestration.daemon import Daemons, gates_pending
from medkg_lab.orchestration.instance import folder, open_instance
from medkg_lab.orchestration.readback import MAX_RUNS, read_runs
from medkg_lab.orchestration.recorder import Recorder
from medkg_lab.orchestration.reload import Reloader
from medkg_lab.orchestration.web import TokenGate
from medkg_lab.orchestration.workspace import load_target
from medkg_lab.topology.catalog import Catalog

logger = logging.getLogger("dagsterd")

NAME = "dagsterd"
POLL_SECONDS = 2.0
STOP_SECONDS = 1


def main() -> None:
    """Run until SIGTERM."""
    _, locations = process.arguments(NAME)
    for talkative in ("alembic", "dagster.daemon"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    stopping = process.Stopping()
    stopping.listen()
    chosen = settings.ports(locations)["dagster"]
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(open_instance(locations))
        keep = settings.load(locations).dagster
        recorder = Recorder(instance, folder(locations), LedgerClient(locations.socket("ledger")), keep)
        thread = recorder.start(stopping)
        context = stack.enter_context(WorkspaceProcessContext(instance, load_target()))
        sensor_client = LedgerClient(locations.socket("ledger"), deadline=POLL_SECONDS)
        Reloader(Catalog(locations), context).start(stopping)
        daemons = Daemons(context, instance, gates_pending(sensor_client))
        app = TokenGate(
            create_app_from_workspace_process_context(context), credentials.dagster_token(locations), chosen
        )
        logger.info("pages ready after %.1f s", time.monotonic() - began)
        asyncio.run(_serve(app, chosen, locations, instance, recorder))
        stopping.stop()
        # Both are daemon threads that hold nothing to be saved: the recorder's writes are whole or not at all.
        daemons.stop(STOP_SECONDS)
        thread.join(STOP_SECONDS)


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            process.announce(NAME, url=f"http://{self.config.host}:{self.config.port}/")


async def _serve(app: Any, port: int, locations: Locations, instance: DagsterInstance, recorder: Recorder) -> None:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    readers = await rpc.serve(locations.socket(NAME), _handlers(instance, recorder))
    async with readers:
        await _Server(config).serve()


def _handlers(instance: DagsterInstance, recorder: Recorder) -> dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]:
    async def runs(args: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(read_runs, instance, args.get("after"), int(args.get("limit", MAX_RUNS)))

    async def health(_: dict[str, Any]) -> dict[str, Any]:
        return {"position": recorder.position, "lag_seconds": recorder.lag_seconds, "error": recorder.error}

    return {"runs": runs, "health": health}
