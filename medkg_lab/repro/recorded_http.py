"""The outside of a run: every call is answered from the recording, attempt by attempt, on the run's clock."""

import asyncio
import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Unpack

import httpx
import msgspec

from medkg_lab import errors
from medkg_lab.errors import LabError
from medkg_lab.repro.errors import NotInArchive, UnrecordedCall
from medkg_lab.repro.virtual_time import VirtualClock
from medkg_lab.resilience.errors import TimedOut
from medkg_lab.sources.errors import ServiceUnavailable
from medkg_lab.sources.exchanges import CANCELLED, StoredExchange, request_key, without_secrets
from medkg_lab.sources.http_client import judge
from medkg_lab.stages.contracts import HttpAnswer, HttpClient, RequestOptions

Place = tuple[str, str, str]
"""Job, stage and request key."""


@dataclass
class Recording:
    """The recorded exchanges; each answers once, in the order in which it was recorded.

    With `beyond` the last answer to a request also answers those that come after it, and `assumed` counts them. `unrecorded`
    holds the calls that could not be answered.
    """

    clock: VirtualClock
    content: Callable[[str], bytes]
    beyond: bool = False
    assumed: int = 0
    unrecorded: list[UnrecordedCall] = field(default_factory=list)
    _left: dict[Place, list[StoredExchange]] = field(default_factory=lambda: defaultdict(list))
    _last: dict[Place, StoredExchange] = field(default_factory=dict)
    _urls: dict[str, str] = field(default_factory=dict)

    def load(self, records: Iterable[Mapping[str, object]]) -> None:
        """Take in recorded exchanges, in order."""
        for record in (msgspec.convert(one, StoredExchange) for one in records):
            self._left[record.job, record.stage, record.key].append(record)
            self._urls[f"{record.method} {record.url}"] = record.key

    def has(self, job_id: str, stage: str) -> bool:
        """Whether anything was recorded for this stage of the job."""
        return any(place[:2] == (job_id, stage) for place in self._left)

    def next_exchange(self, job_id: str, stage: str, method: str, url: str, key: str) -> StoredExchange:
        """The next recorded exchange for this request. Raises UnrecordedCall."""
        place = (job_id, stage, key)
        if self._left.get(place):
            self._last[place] = self._left[place].pop(0)
            return self._last[place]
        if self.beyond and place in self._last:
            self.assumed += 1
            return self._last[place]
        asked = f"{method} {without_secrets(url)}"
        near = difflib.get_close_matches(asked, self._urls, n=1, cutoff=0.0)
        nearest = f"{near[0]} (key {self._urls[near[0]][:12]})" if near else "none: nothing was recorded"
        if near and near[0] == asked:
            spent = place in self._last
            nearest += ", every answer of which was given already" if spent else ", for another job, stage or body"
        error = UnrecordedCall(
            method=method, url=without_secrets(url), stage=stage, job_id=job_id, key=key[:12], nearest=nearest
        )
        self.unrecorded.append(error)
        raise error


@dataclass(frozen=True)
class RecordedHttpClient:
    """`Outside` for one document in one stage; `limit` is the seconds after which the policy would have given a call up."""

    recording: Recording
    job_id: str
    stage: str
    limit: float | None = None

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """The recorded answer, or what came instead of one. Raises UnrecordedCall and what HttpxClient raises."""
        record = self._next_exchange(method, url, options)
        clock, seconds = self.recording.clock, record.ms / 1000
        if record.error == CANCELLED or (self.limit is not None and seconds > self.limit):
            clock.sleep(seconds if self.limit is None else self.limit)
            raise TimedOut
        clock.sleep(seconds)
        return self._answer(record, options)

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """What `request` does, in the time of the run's event loop."""
        record = self._next_exchange(method, url, options)
        if record.error == CANCELLED:
            # It had not ended when the policy gave it up, nor will it now.
            await asyncio.Event().wait()
        await asyncio.sleep(record.ms / 1000)
        return self._answer(record, options)

    def _next_exchange(self, method: str, url: str, options: RequestOptions) -> StoredExchange:
        whole = str(httpx.Request(method, url, params=options.get("params")).url)
        key = request_key(method, whole, options.get("keyed") or options.get("body"))
        return self.recording.next_exchange(self.job_id, self.stage, method, whole, key)

    def _answer(self, record: StoredExchange, options: RequestOptions) -> HttpAnswer:
        if record.status is None:
            raise failure(record)
        if not record.kept:
            raise NotInArchive(what=f"the answer to {record.url}, which was too large to be recorded")
        data = self.recording.content(record.body) if record.size else b""
        answer = HttpAnswer(record.status, record.headers, data, record.final_url)
        if not options.get("endpoint"):
            judge(answer, self.recording.clock.now())
        return answer


@dataclass(frozen=True)
class BlockingHttpClient:
    """The real outside in a run whose time is virtual: nothing else goes on until the answer is there."""

    http: HttpClient

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Exchange one request. Raises what `http` raises."""
        return self.http.request(method, url, **options)

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Exchange one request. Raises what `http` raises."""
        return self.http.request(method, url, **options)


def failure(record: StoredExchange) -> LabError:
    """The error that a recorded exchange ended with."""
    kind = errors.by_name(record.error)
    fields = dict(record.error_fields)
    if kind is None:
        return ServiceUnavailable(host=record.url, detail=record.error or "no answer")
    return kind(**fields)
