"""The application: routes over the Python API, tokens, errors as problems."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Match, Route

from medkg_lab import __version__
from medkg_lab.api import stream
from medkg_lab.api.access import Access, require
from medkg_lab.api.body_limit import BodyLimit
from medkg_lab.api.errors import status_of
from medkg_lab.api.models import (
    Accepted,
    EventPage,
    EventRecord,
    Live,
    OpenBody,
    PassageHit,
    Problem,
    ReasonBody,
    RetryBody,
    SearchResult,
    SubmitBody,
    Why,
)
from medkg_lab.errors import LabError
from medkg_lab.guard.caller import Caller, Scope
from medkg_lab.models.event_codec import to_json
from medkg_lab.sdk import records
from medkg_lab.sdk.lab import Lab
from medkg_lab.validation import first_flaw

LAST_EVENT = 2**53
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 405, 409, 411, 413, 422, 503)
}
Limit = Annotated[int, Query(ge=1, le=1000)]
Number = Annotated[int, Query(ge=0, le=LAST_EVENT)]
Text = Annotated[str, Query(min_length=1, max_length=2000)]
Word = Annotated[str | None, Query(max_length=200)]
Check = Callable[..., Awaitable[Caller]]


def make_app(lab: Lab, access: Access, hosts: list[str]) -> FastAPI:
    """The application for one lab; requests for other `hosts` than these are refused."""
    app = FastAPI(
        title="medkg-lab",
        version=__version__,
        description="Search, graph, jobs, gates and events of a medical-document pipeline.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.add_exception_handler(LabError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_api_route("/health/live", lambda: Live(), response_model=Live, tags=["health"], name="live")
    readers, writers = (Depends(_checked(access, scope)) for scope in (Scope.READ, Scope.WRITE))
    _knowledge_routes(app, lab, readers)
    _job_routes(app, lab, readers)
    _event_routes(app, lab, readers)
    _steering_routes(app, lab, writers)
    return app


def _checked(access: Access, scope: Scope) -> Check:
    check = require(access, scope)
    bearer = HTTPBearer(auto_error=False, scheme_name=scope.value, description=f"a token with the scope {scope.value}")

    async def depend(request: Request, _: Annotated[Any, Depends(bearer)]) -> Caller:
        # Of two headers another reader could believe the other one.
        given = request.headers.getlist("authorization")
        return await check(given[0] if len(given) == 1 else None)

    return depend


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LabError), "it is registered for these alone"
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(Problem(type=type(error).__name__, message=str(error)).model_dump(), status, headers)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException), "it is registered for these alone"
    kind = HTTPStatus(error.status_code).name.title().replace("_", "")
    problem = Problem(type=kind, message=f"{error.detail}. The description is at /openapi.json.")
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return JSONResponse(problem.model_dump(), error.status_code, headers)


def _methods(request: Request) -> set[str]:
    """The methods of all routes to the path that was asked for: Starlette names those of the first alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError), "it is registered for these alone"
    return JSONResponse(Problem(type="RequestInvalid", message=first_flaw(error.errors()).text()).model_dump(), 422)


def _knowledge_routes(app: FastAPI, lab: Lab, readers: Any) -> None:
    reads: dict[str, Any] = {"dependencies": [readers], "tags": ["knowledge"]}

    @app.get("/v1/search", **reads)
    def search(
        query: Text, limit: Annotated[int, Query(ge=1, le=200)] = 10, source: Word = None, year: Word = None
    ) -> SearchResult:
        """Find passages, best first, by words and by meaning; operators and fields as in `medkg-lab search --help`."""
        filters = {"year": year} if year else None
        found = lab.search(query, limit, sources=[source] if source else None, filters=filters)
        hits = [PassageHit.model_validate(one, from_attributes=True) for one in found.hits]
        return SearchResult(
            query=found.query, hits=hits, legs=dict(found.legs), notes=list(found.notes), ms=round(found.ms, 2)
        )

    @app.get("/v1/documents", **reads)
    def documents(limit: Limit = 100, after: Word = None) -> list[records.Document]:
        """Published documents by id, those beyond `after`."""
        return list(lab.documents(limit, after))

    @app.get("/v1/passages", **reads)
    def passage(chunk_id: Text) -> records.Passage:
        """One passage with the concepts that it mentions."""
        return lab.passage(chunk_id)

    @app.get("/v1/graph/neighbours", **reads)
    def neighbours(node: Text, limit: Limit = 50) -> records.Neighbourhood:
        """A node, by id or name, with the statements about it."""
        return lab.neighbours(node, limit)

    @app.get("/v1/graph/path", **reads)
    def path(source: Text, target: Text, max_hops: Annotated[int, Query(ge=0, le=8)] = 4) -> records.GraphPath:
        """A shortest chain of statements between two nodes."""
        return lab.path(source, target, max_hops)

    @app.get("/v1/graph/statements", **reads)
    def statements(source: Text, target: Text) -> list[records.Statement]:
        """What documents say of two nodes, each with its sentence."""
        return list(lab.statements(source, target))


def _job_routes(app: FastAPI, lab: Lab, readers: Any) -> None:
    reads: dict[str, Any] = {"dependencies": [readers], "tags": ["jobs"]}

    @app.get("/v1/health", **reads)
    def health() -> records.Health:
        """The processes, the jobs and gates by state, and what is published."""
        return lab.health()

    @app.get("/v1/jobs", **reads)
    def jobs(
        state: Word = None,
        pipeline: Word = None,
        source: Word = None,
        document: Word = None,
        limit: Limit = 100,
        after: Word = None,
    ) -> list[records.Job]:
        """The newest jobs, narrowed down, without their stages; `after` is the last job of the page before."""
        return list(lab.jobs(state, pipeline, source, document, limit, after))

    @app.get("/v1/jobs/{job}", **reads)
    def job(job: str) -> Why:
        """A job by its id, its beginning, or its document, with its stages and why it is where it is."""
        found = lab.job(job)
        return Why(job=found, why=lab.why(found.job_id))

    @app.get("/v1/gates", **reads)
    def gates(state: Word = None) -> list[records.Gate]:
        """The gates, in one state or all; those that wait longest first."""
        return list(lab.gates(state))


def _event_routes(app: FastAPI, lab: Lab, readers: Any) -> None:
    reads: dict[str, Any] = {"dependencies": [readers], "tags": ["events"]}

    @app.get("/v1/events", **reads)
    def events(after: Number = 0, limit: Limit = 100) -> EventPage:
        """Events after a number, in order."""
        page = lab.event_page(after, limit)
        # By way of JSON: an event may hold texts that are JSON already.
        told = (orjson.loads(orjson.dumps(to_json(one))) for one in page.events)
        return EventPage(events=[EventRecord.model_validate(one) for one in told], head=page.head)

    @app.get(
        "/v1/events/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
        **reads,
    )
    def event_stream(
        after: Annotated[int | None, Query(ge=0, le=LAST_EVENT)] = None,
        last_event_id: Annotated[str | None, Header(max_length=20, pattern="^[0-9]+$")] = None,
    ) -> StreamingResponse:
        """Events as they come, as server-sent events; without `after` or `Last-Event-ID` from now on."""
        start = after if after is not None else int(last_event_id) if last_event_id else lab.head()
        sent = iterate_in_threadpool(stream.follow(lab, start))
        return StreamingResponse(sent, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _steering_routes(app: FastAPI, lab: Lab, writers: Any) -> None:
    writes: dict[str, Any] = {"tags": ["steering"]}

    @app.post("/v1/jobs", status_code=202, **writes)
    def submit(body: SubmitBody, caller: Annotated[Caller, writers]) -> records.Submission:
        """Put documents of a source on the work queue, by id or query."""
        return lab.acting_as(caller.subject).submit(
            *body.keys,
            source=body.source,
            pipeline=body.pipeline,
            is_query=body.is_query,
            again=body.again,
            limit=body.limit,
        )

    @app.post("/v1/jobs/{job}/retry", status_code=202, **writes)
    def retry(job: str, body: RetryBody, caller: Annotated[Caller, writers]) -> Accepted:
        """Run a finished job again."""
        return Accepted(job_id=lab.acting_as(caller.subject).retry(job, body.from_stage))

    @app.post("/v1/jobs/{job}/cancel", status_code=202, **writes)
    def cancel(job: str, body: ReasonBody, caller: Annotated[Caller, writers]) -> Accepted:
        """End an unfinished job."""
        return Accepted(job_id=lab.acting_as(caller.subject).cancel(job, body.why))

    @app.post("/v1/gates/{job}/open", status_code=202, **writes)
    def open_gate(job: str, body: OpenBody, caller: Annotated[Caller, writers]) -> Accepted:
        """Open the gate of a job."""
        return Accepted(job_id=lab.acting_as(caller.subject).open_gate(job, body.why, body.partial))

    @app.post("/v1/gates/{job}/reject", status_code=202, **writes)
    def reject_gate(job: str, body: ReasonBody, caller: Annotated[Caller, writers]) -> Accepted:
        """Reject the gate of a job, which ends."""
        return Accepted(job_id=lab.acting_as(caller.subject).reject_gate(job, body.why))
