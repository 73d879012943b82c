"""The demo: the whole lab on the bundled documents, from an empty folder to search hits, with every expectation checked."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import convert

from medkg_lab.lab import submit as submitting
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.wait import Progress, wait_for
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.state import RunStatus
from medkg_lab.models.identity import plain
from medkg_lab.topology import bundled

TIMEOUT_S = 600.0
WHO = "demo"


@dataclass(frozen=True)
class DemoSearch:
    """A search that the demo expects something of, and its hits."""

    query: str
    any_of: tuple[str, ...]


@dataclass(frozen=True)
class Expectations:
    """What must come of the bundled documents: how many are in each file, which are broken, and what searches find."""

    documents: Mapping[str, int]
    broken: Mapping[str, object]
    searches: tuple[DemoSearch, ...]


@dataclass(frozen=True)
class DemoFailure:
    """A document that failed."""

    doc_id: str
    kind: str | None
    reason: str | None


@dataclass(frozen=True)
class StageTimes:
    """How long a stage took of a document, in milliseconds, and how often it ran."""

    p50_ms: float
    p95_ms: float
    n: int


@dataclass(frozen=True)
class DemoGates:
    """How many gates were opened by a person and by their condition, and how long half of them waited at most."""

    opened_by_hand: int
    opened_by_condition: int
    wait_p50_ms: float | None


@dataclass(frozen=True)
class DemoHit:
    """A passage that a search found."""

    doc_id: str
    chunk_id: str
    title: str
    score: float
    ranks: Mapping[str, int | None]


@dataclass(frozen=True)
class DemoAnswer:
    """What a search of the demo found."""

    query: str
    legs: Mapping[str, str]
    hits: tuple[DemoHit, ...]


@dataclass(frozen=True)
class Demo:
    """What the demo did, and what did not come out as it should (`unmet`, a sentence each)."""

    ok: bool
    jobs: Mapping[str, int]
    failures: tuple[DemoFailure, ...]
    failure_kinds: Mapping[str | None, int]
    stages: Mapping[str, StageTimes]
    gates: DemoGates
    counts: Mapping[str, int]
    searches: tuple[DemoAnswer, ...]
    home: str
    dagster_url: str | None
    dagster_error: str | None
    seconds: float
    unmet: tuple[str, ...] = ()


Say = Callable[[str], None]


def run(lab: Lab, say: Say, moved: Callable[[Progress], None]) -> Demo:
    """Run the demo in a lab that is up; `say` is told each step, `moved` each change of the jobs."""
    started = time.monotonic()
    folder = bundled.folder() / "demo"
    expected = convert(json.loads((folder / "expectations.json").read_text()), Expectations)
    say("submitting the bundled documents")
    outcome = submitting.submit(
        lab, [str(folder / part) for part in ("trials", "articles", "papers", "broken")], submitting.SubmitOptions()
    )
    ids = [job.job_id for job in outcome.jobs]
    say(f"{len(ids)} documents are on the queue")
    progress = wait_for(lab.ledger, ids, TIMEOUT_S, moved)
    opened = _open_by_hand(lab, progress, say)
    if opened:
        progress = wait_for(lab.ledger, ids, TIMEOUT_S, moved)
    head = lab.ledger.counts().head
    lab.knowledge.caught_up(head, wait_s=30)
    demo = _summary(lab, progress, expected.searches, started)
    unmet = tuple(check(demo, expected, len(opened), reads_scans=_reads_scans(lab)))
    return replace(demo, ok=not unmet, unmet=unmet)


def _open_by_hand(lab: Lab, progress: Progress, say: Say) -> list[str]:
    waiting = [job_id for job_id in progress.states if progress.needs_person(job_id)]
    for job_id in waiting:
        job = progress.jobs[job_id]
        pages = ", ".join(map(str, job.gate.evidence.missing_pages if job.gate is not None else ()))
        say(f"opening the gate of {job.doc_id} by hand: page {pages} is a scan without text")
        lab.ledger.gate_open(job_id, by=WHO, why=f"page {pages} is a scan; the rest is whole", partial=True)
    return waiting


def _summary(lab: Lab, progress: Progress, searches: Sequence[DemoSearch], started: float) -> Demo:
    failed = [job for job in progress.jobs.values() if job.state in {"failed", "dead", "cancelled"}]
    link = lab.dagster.link()
    return Demo(
        ok=False,
        jobs=progress.counts(),
        failures=tuple(DemoFailure(job.doc_id, job.failure_kind, job.reason) for job in failed),
        failure_kinds=dict(Counter(job.failure_kind for job in failed)),
        stages=stage_times(progress.jobs.values()),
        gates=_gates(lab),
        counts=lab.knowledge.counts(),
        searches=tuple(_search(lab, one.query) for one in searches),
        home=str(lab.locations.home),
        dagster_url=link.url,
        dagster_error=link.error,
        seconds=round(time.monotonic() - started, 1),
    )


def _search(lab: Lab, query: str) -> DemoAnswer:
    answer = lab.knowledge.search(query, limit=5)
    hits = (DemoHit(hit.doc_id, hit.chunk_id, hit.title, hit.score, hit.ranks) for hit in answer.hits)
    return DemoAnswer(query, answer.legs, tuple(hits))


def _gates(lab: Lab) -> DemoGates:
    gates = lab.ledger.gates()
    waits = sorted(gate.opened_at - gate.waiting_since for gate in gates if gate.opened_at)
    return DemoGates(
        opened_by_hand=sum(gate.how == "manual" for gate in gates),
        opened_by_condition=sum(gate.how == "condition" for gate in gates),
        wait_p50_ms=round(quantile(waits, 0.5) * 1000, 1) if waits else None,
    )


def stage_times(jobs: Iterable[JobDetail]) -> dict[str, StageTimes]:
    """p50 and p95 in milliseconds, and the number, of each stage's completed executions."""
    taken: dict[str, list[float]] = {}
    for job in jobs:
        for run in job.stages:
            if run.status is RunStatus.COMPLETED:
                taken.setdefault(run.stage, []).append(run.ms or 0.0)
    return {
        name: StageTimes(round(quantile(ms, 0.5), 2), round(quantile(ms, 0.95), 2), len(ms))
        for name, ms in taken.items()
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def _reads_scans(lab: Lab) -> bool:
    # Here: who runs no demo needs nothing of PDFs.
    from medkg_lab.pdf import scans

    return scans.is_installed() and lab.settings.pdf.ocr_pages > 0


def check(demo: Demo, expected: Expectations, opened: int, *, reads_scans: bool = False) -> list[str]:
    """The expectations that did not hold, a sentence each. A lab that `reads_scans` leaves no gate for a person to open."""
    unmet: list[str] = []
    documents, broken = sum(expected.documents.values()), expected.broken
    jobs = demo.jobs
    if jobs.get("completed", 0) != documents:
        unmet.append(f"{jobs.get('completed', 0)} of {documents} good documents completed")
    if jobs.get("failed", 0) != len(broken) or demo.failure_kinds != {"bad_input": len(broken)}:
        unmet.append(f"the {len(broken)} broken documents should fail as bad_input, but {demo.failure_kinds} were seen")
    if sum(jobs.values()) != documents + len(broken):
        unmet.append(f"{sum(jobs.values())} jobs for {documents + len(broken)} documents")
    gates = demo.gates
    if gates.opened_by_hand != opened or bool(opened) == reads_scans or not gates.opened_by_condition:
        unmet.append(f"gates should open by hand and by condition, but were {gates}")
    for wanted, answer in zip(expected.searches, demo.searches, strict=True):
        if not {plain(hit.doc_id) for hit in answer.hits} & set(wanted.any_of):
            unmet.append(f"{wanted.query!r} found none of {', '.join(wanted.any_of)}")
    unmet += [f"there are no {name}" for name, count in demo.counts.items() if not count]
    return unmet


def home_for(kept: Path | None) -> Path:
    """The folder the demo runs in: a new scratch one unless one was chosen."""
    if kept is not None:
        return kept
    import tempfile

    return Path(tempfile.mkdtemp(prefix="medkg-demo-"))
