"""What only the HTTP API says: bodies of requests, lists, problems, events. Everything else is the Python API's records."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from medkg_lab.sdk import records

Key = Annotated[str, Field(min_length=1, max_length=1024)]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(BaseModel):
    """What went wrong: the error's class, and its message with the remedy."""

    type: str
    message: str


class SubmitBody(_Body):
    """Documents to fetch: ids at a source, or queries there. Files are submitted from the lab's own machine only."""

    source: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    keys: list[Key] = Field(min_length=1, max_length=100)
    is_query: bool = False
    pipeline: str | None = Field(default=None, pattern=r"^[a-z-]{1,64}$")
    again: bool = False
    limit: int = Field(default=100, ge=1, le=10_000)


class ReasonBody(_Body):
    """Why something is done; it is recorded with the caller's name."""

    why: Reason


class OpenBody(ReasonBody):
    """Why a gate is opened; `partial` although pages are missing."""

    partial: bool = False


class RetryBody(_Body):
    """From which stage a job is run again; by default the first that was not completed."""

    from_stage: str | None = Field(default=None, max_length=64)


class Accepted(BaseModel):
    """What was asked for is recorded."""

    job_id: str


class Live(BaseModel):
    """The server answers; whether the lab is whole, `/v1/health` says."""

    status: str = "ok"


class EventRecord(BaseModel):
    """An event of the ledger; `data` depends on `type`, as the reference describes."""

    seq: int
    id: str
    ts: float
    type: str
    stage: str | None
    batch: str | None
    jobs: list[str]
    data: dict[str, object]


class EventPage(BaseModel):
    """Events in order, and the number of the newest one."""

    events: list[EventRecord]
    head: int


class PassageHit(BaseModel):
    """A passage that was found; `score` from 0 to 1, `ranks` by retriever."""

    doc_id: str
    chunk_id: str
    title: str
    section: list[str]
    page: int | None
    text: str
    snippet: str
    score: float
    ranks: Mapping[str, int | None]
    notes: list[str]


class SearchResult(BaseModel):
    """Hits, best first; `legs` says of each retriever whether it took part, `notes` are about the query."""

    query: str
    hits: list[PassageHit]
    legs: Mapping[str, str]
    notes: list[str]
    ms: float


class Why(BaseModel):
    """A job, and one sentence on why it is where it is."""

    job: records.Job
    why: str
