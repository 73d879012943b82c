"""One measurement of the whole lane: documents onto the work queue, and what the ledger's events say became of them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar
from uuid import uuid4

import orjson

from medkg_lab import signing
from medkg_lab.bench.figures import latencies
from medkg_lab.bench.scratch import ScratchLab
from medkg_lab.broker.client import Producer
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.models.events import Event, EventData, JobClaimed, JobCompleted, JobDead, JobFailed, StageCompleted
from medkg_lab.models.submission import Content, Submission

ENDED = ("completed", "failed", "dead", "cancelled")
WAIT_S = 300.0
POLL_INTERVAL_S = 0.2
T = TypeVar("T", bound=EventData)

_Ends = JobCompleted | JobFailed | JobDead


class LaneStuck(LabError):
    """The measurement waits for {missing} of {wanted} jobs for {seconds} s already. Look at the scratch lab's logs in {home}."""


@dataclass
class Passage:
    """What the events say of the documents of one measurement; times in epoch seconds as the ledger stamped them."""

    submitted: dict[str, float] = field(default_factory=dict)
    claimed: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    batches: list[int] = field(default_factory=list)
    stage_ms: dict[str, list[float]] = field(default_factory=dict)
    around_ms: list[float] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Take in one event."""
        data, jobs = event.data, event.jobs
        if isinstance(data, JobClaimed):
            self.batches.append(len(jobs))
            self.claimed |= {job: event.ts for job in jobs if job not in self.claimed}
        elif isinstance(data, StageCompleted):
            each = [output.ms or 0.0 for output in data.entries]
            self.stage_ms.setdefault(data.stage, []).extend(each)
            self.around_ms.append(((data.t1 - data.t0) * 1e3 - sum(each)) / len(each))
        elif isinstance(data, _Ends):
            self.ended |= dict.fromkeys(jobs, event.ts)
            self.failed += 0 if isinstance(data, JobCompleted) else len(jobs)

    @property
    def seconds(self) -> float:
        """From the first claim to the last end."""
        return max(self.ended.values()) - min(self.claimed.values())

    @property
    def docs_per_second(self) -> float:
        """Documents that went through in a second of that."""
        return len(self.ended) / self.seconds

    def claim_to_end(self) -> list[float]:
        """Seconds that each document spent in an engine."""
        return [self.ended[job] - self.claimed[job] for job in self.ended]

    def submit_to_end(self) -> list[float]:
        """Seconds from when each document was handed to the queue's client."""
        return [self.ended[job] - self.submitted[job] for job in self.ended if job in self.submitted]

    def describe(self) -> dict[str, object]:
        """The figures for a person."""
        return {
            "docs": len(self.ended),
            "failed": self.failed,
            "docs_per_second": round(self.docs_per_second, 1),
            "claim_to_end": latencies(self.claim_to_end()),
            "submit_to_end": latencies(self.submit_to_end()),
            "batches": {"n": len(self.batches), "median": median(self.batches), "max": max(self.batches)},
            "stage_ms_p50": {name: round(median(values), 3) for name, values in self.stage_ms.items()},
            "around_the_stage_ms_per_doc": round(median(self.around_ms), 4) if self.around_ms else None,
        }


class Lane:
    """Sends documents through a scratch lab."""

    def __init__(self, scratch: ScratchLab) -> None:
        self._scratch = scratch
        self._lab = scratch.lab
        self._topic = Topics(self._lab.settings.broker.topic_prefix).requests
        self._producer = Producer(self._lab.bootstrap)
        self._signer = signing.signer(self._lab.locations, signing.REQUESTS)

    def requests(self, pipeline: str, number: int, faulty: int = 0, priority: int = 0) -> list[Submission]:
        """`number` new documents, the first of each `faulty` of which fails to parse (0: none does)."""
        nonce = uuid4().hex[:12]
        names = [f"{'faulty' if faulty and not place % faulty else 'bench'}-{nonce}-{place}" for place in range(number)]
        content = Content(sha256="0" * 64, media_type="text/plain", name="bench.txt")
        return [
            Submission(source="file", key=name, pipeline=pipeline, content=content, priority=priority) for name in names
        ]

    def send(self, requests: Iterable[Submission]) -> dict[str, float]:
        """Put the requests onto the queue, flushed; when each was handed in, by job id."""
        sent: dict[str, float] = {}
        for request in requests:
            value = orjson.dumps(request.model_dump(mode="json", exclude_none=True))
            sent[request.job_id(request.pipeline or "")] = time.time()
            self._producer.send(self._topic, value, key=request.doc_id.encode(), headers=self._signer.headers(value))
        self._producer.flush()
        return sent

    def send_paced(self, requests: Sequence[Submission], gaps: Iterable[float]) -> dict[str, float]:
        """Put each request onto the queue when its time has come, however the lab keeps up."""
        sent: dict[str, float] = {}
        due = time.monotonic()
        for request, gap in zip(requests, gaps, strict=False):
            due += gap
            time.sleep(max(0.0, due - time.monotonic()))
            value = orjson.dumps(request.model_dump(mode="json", exclude_none=True))
            sent[request.job_id(request.pipeline or "")] = time.time()
            self._producer.send(self._topic, value, key=request.doc_id.encode(), headers=self._signer.headers(value))
            self._producer.poll(0)
        self._producer.flush()
        return sent

    def head(self) -> int:
        """The number of the ledger's last event."""
        return self._lab.ledger.counts().head

    def finished(self) -> int:
        """How many jobs have ended so far."""
        jobs = self._lab.ledger.counts().jobs
        return sum(int(jobs.get(state, 0)) for state in ENDED)

    def wait(self, wanted: int) -> None:
        """Wait until `wanted` jobs have ended in all. Raises LaneStuck."""
        until = time.monotonic() + WAIT_S
        while (now := self.finished()) < wanted:
            if time.monotonic() > until:
                home = self._lab.locations.home
                raise LaneStuck(missing=wanted - now, wanted=wanted, seconds=WAIT_S, home=home)
            time.sleep(POLL_INTERVAL_S)

    def events(self, after: int) -> Iterator[Event]:
        """The ledger's events after number `after`."""
        while page := self._lab.ledger.events(after=after, limit=2000, wait_s=0).events:
            yield from page
            after = page[-1].seq

    def passage(self, requests: Sequence[Submission], gaps: Iterable[float] = ()) -> Passage:
        """Send the documents through and wait for the last; `gaps` are the seconds between them, all at once without."""
        head, before = self.head(), self.finished()
        listed = list(gaps)
        sent = self.send_paced(requests, listed) if listed else self.send(requests)
        self.wait(before + len(requests))
        passage = Passage(submitted=sent)
        for event in self.events(head):
            passage.add(event)
        return passage

    def await_event(self, job_id: str, kind: type[T], after: int | None) -> T:
        """The job's first event of this kind after number `after` (from the log's beginning without it). Raises LaneStuck."""
        seen, until = after or 0, time.monotonic() + WAIT_S
        while time.monotonic() < until:
            for event in self._lab.ledger.events(after=seen, limit=2000, wait_s=5.0, job_id=job_id).events:
                seen = event.seq
                if isinstance(event.data, kind):
                    return event.data
        raise LaneStuck(missing=1, wanted=1, seconds=WAIT_S, home=self._lab.locations.home)

    def one(self, request: Submission) -> float:
        """Seconds from handing one document in until its end is seen by a follower of the ledger."""
        after = self.head()
        began = time.perf_counter()
        (job_id,) = self.send([request])
        while True:
            for event in self._lab.ledger.events(after=after, limit=100, wait_s=WAIT_S / 10).events:
                after = event.seq
                if isinstance(event.data, _Ends) and job_id in event.jobs:
                    return time.perf_counter() - began
