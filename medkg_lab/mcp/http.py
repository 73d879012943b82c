"""The MCP server behind the HTTP API's tokens: a reader gets the reading tools, a writer all of them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from medkg_lab.api.access import Access
from medkg_lab.api.errors import status_of
from medkg_lab.errors import LabError
from medkg_lab.guard.caller import Scope as TokenScope
from medkg_lab.mcp.server import make_server
from medkg_lab.sdk.lab import Lab


@dataclass(frozen=True)
class Guarded:
    """The application, and what has to run while it serves."""

    app: ASGIApp
    servers: tuple[Any, ...]

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Run the servers' sessions."""
        async with contextlib.AsyncExitStack() as stack:
            for server in self.servers:
                await stack.enter_async_context(server.session_manager.run())
            yield


def mount(app: FastAPI, lab: Lab, access: Access) -> None:
    """Serve MCP at `/mcp` of the HTTP API too."""
    inner = guarded(lab, access)
    app.mount("/mcp", inner.app)
    app.router.lifespan_context = inner.lifespan


def guarded(lab: Lab, access: Access) -> Guarded:
    """The MCP server of `lab` for those whom `access` knows."""
    reading, writing = make_server(lab), make_server(lab.acting_as("mcp"), with_writes=True)
    apps = {
        is_writer: server.streamable_http_app(streamable_http_path="/", stateless_http=True, json_response=True)
        for is_writer, server in ((False, reading), (True, writing))
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        try:
            caller = await access.caller(given[0] if len(given) == 1 else None, TokenScope.READ)
        except LabError as error:
            refused = JSONResponse({"type": type(error).__name__, "message": str(error)}, status_of(error))
            await refused(scope, receive, send)
            return
        await apps[caller.may(TokenScope.WRITE)](scope, receive, send)

    return Guarded(app, (reading, writing))
