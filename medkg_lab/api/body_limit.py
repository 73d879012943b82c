"""A limit on what a request brings, checked before anything of it is read: tokens are looked at only after that."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from medkg_lab.api.models import Problem

MAX_BYTES = 1024 * 1024


class BodyLimit:
    """An ASGI middleware: a body says its length, and has at most MAX_BYTES."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (status := _refused(Headers(scope=scope))) is None:
            await self._app(scope, receive, send)
            return
        message = f"A request has a Content-Length of at most {MAX_BYTES} bytes."
        problem = Problem(type=status.name.title().replace("_", ""), message=message)
        await JSONResponse(problem.model_dump(), status)(scope, receive, send)


def _refused(headers: Headers) -> HTTPStatus | None:
    length = headers.get("content-length")
    if length is None:
        return HTTPStatus.LENGTH_REQUIRED if "transfer-encoding" in headers else None
    return None if length.isdecimal() and int(length) <= MAX_BYTES else HTTPStatus.REQUEST_ENTITY_TOO_LARGE
