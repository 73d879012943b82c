"""What is served: `/metrics`, `/healthz` and `/readyz`, to whoever brings the token in the lab's file."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from medkg_lab.guard import own_tokens
from medkg_lab.ledger.acts import AccessLog

HOSTS = ("127.0.0.1", "localhost", "[::1]")


def make_app(
    collector: Collector,
    token_file: Path,
    alive: Callable[[], bool],
    problems: Callable[[], Sequence[str]],
    log: AccessLog | None = None,
) -> Starlette:
    """The application. `alive` says whether this process works, `problems` what keeps the lab from being ready; `log` is told of
    whom is refused."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)

    def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=media_type, headers={"Cache-Control": "no-store"})

    def healthz(_: Request) -> Response:
        return _health([] if alive() else ["the log is not read any more"])

    def readyz(_: Request) -> Response:
        return _health(problems())

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS)), Middleware(TokenGuard, token_file, log)]
    return Starlette(routes=routes, middleware=guards)


def _health(problems: Sequence[str]) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    told: Mapping[str, object] = {"status": "unavailable" if problems else "ok", "problems": list(problems)}
    return JSONResponse(told, status, {"Cache-Control": "no-store"})


class TokenGuard:
    """An ASGI middleware: a request brings the token, or nothing happens."""

    def __init__(self, app: ASGIApp, token_file: Path, log: AccessLog | None) -> None:
        self._app = app
        self._token_file = token_file
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope.get("type")
        if kind == "lifespan" or self._is_known(scope):
            await self._app(scope, receive, send)
        elif kind == "http":
            if self._log is not None:
                self._log.refused("", "metrics", "the token is missing or wrong")
            refusal = "A token is needed: `medkg-lab metrics where` names its file.\n"
            headers = {"WWW-Authenticate": "Bearer"}
            await PlainTextResponse(refusal, HTTPStatus.UNAUTHORIZED, headers)(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        given = [value for name, value in scope.get("headers", ()) if name == b"authorization"]
        # Of two headers another reader could believe the other one.
        token = own_tokens.bearer(given[0].decode("latin-1")) if len(given) == 1 else None
        return token is not None and own_tokens.opens(self._token_file, token)
