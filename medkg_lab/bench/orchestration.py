"""What running stages through the whole lab costs, against a hard-wired loop over the same stage objects.

Loop and lab alternate in one sitting, so that a slow moment of the machine meets both. Each part of the measurement can be run
by itself; all parts share one scratch lab.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bench import loop, work
from medkg_lab.bench.figures import Part, Report, Target, at_least, at_most, latencies, quantile, spread
from medkg_lab.bench.history import history_part
from medkg_lab.bench.lane import Lane, Passage
from medkg_lab.bench.network import network_part
from medkg_lab.bench.policies import policies_part
from medkg_lab.bench.real import real_part
from medkg_lab.bench.scratch import ScratchLab, scratch_lab
from medkg_lab.models.events import GateWaiting, JobCompleted, StageStarted
from medkg_lab.stages.kinds import OUTPUT_KIND, kind_of

PARTS = ("lane", "empty", "idle", "arrivals", "failures", "gates", "policies", "network", "real", "history")
"""Loop against lab; stages without work; one document at a time; Poisson arrivals; failing documents; opening gates; what a
policy costs while nothing fails; a service that takes its time; the real stages of the cpu profile on the bundled documents;
Dagster's pages with a long history."""
RATIO, RATE, P95_RATIO, P95_MS = 0.95, 100.0, 1.10, 500.0
EMPTY_RATE, IDLE_P95_MS, GATE_P95_MS = 1000.0, 100.0, 1000.0
IDLE_TRIES, GATE_TRIES = 40, 20
ARRIVALS_PER_SECOND, ARRIVAL_SECONDS = 70.0, 8.0
FAULTY_EACH = 25
SEED = 20_260_101


@dataclass(frozen=True)
class Options:
    """What is measured: `work_ms` per stage, `jobs` through the lab in all, in `pairs` of loop and lab; `history` is how many
    jobs Dagster's pages are looked at with."""

    work_ms: float = 1.0
    jobs: int = 2016
    pairs: int = 6
    history: int = 10_000
    parts: Sequence[str] = PARTS
    keep: Path | None = None


def measure(options: Options) -> Report:
    """Run the parts in a scratch lab."""
    ways: dict[str, Callable[[ScratchLab, Options], Part]] = {
        "lane": lane_part,
        "empty": empty_part,
        "idle": idle_part,
        "arrivals": arrivals_part,
        "failures": failures_part,
        "gates": gates_part,
        "policies": lambda scratch, chosen: policies_part(chosen.work_ms),
        "network": lambda scratch, chosen: network_part(scratch),
        "real": lambda scratch, chosen: real_part(scratch, chosen.pairs),
        "history": lambda scratch, chosen: history_part(scratch, chosen.history),
    }
    targets: list[Target] = []
    detail: dict[str, object] = {}
    with scratch_lab(options.keep) as scratch:
        scratch.add_pipeline("bench", options.work_ms)
        scratch.add_pipeline("bench-empty", 0.0)
        scratch.add_pipeline("bench-gate", options.work_ms, gate_after="ingest")
        _warm_up(scratch)
        for name in options.parts:
            part = ways[name](scratch, options)
            targets += part.targets
            detail[name] = part.detail
            scratch.wait_for_views()
        detail |= {"verify": _verify(scratch), "rss_mb": scratch.rss_mb()}
    return Report(bench="orchestration", targets=targets, detail=detail)


def _warm_up(scratch: ScratchLab) -> None:
    lane = Lane(scratch)
    for pipeline in ("bench", "bench-empty"):
        for number in (8, 48, 96):
            lane.passage(lane.requests(pipeline, number))
    scratch.wait_for_views()


def _verify(scratch: ScratchLab) -> Mapping[str, object]:
    # Imported here: reading three sides of the lab is needed at the end alone.
    from medkg_lab.lab.verify import verify

    began = time.perf_counter()
    found = verify(scratch.lab)
    kept = ("ok", "jobs", "stage_executions", "dagster_runs", "differences_in_all")
    return {name: getattr(found, name) for name in kept} | {"seconds": round(time.perf_counter() - began, 1)}


def lane_part(scratch: ScratchLab, options: Options) -> Part:
    """Loop and lab in turn on the same work."""
    lane = Lane(scratch)
    stages = work.build(options.work_ms)
    number = max(48, options.jobs // options.pairs)
    size = max(lane.passage(lane.requests("bench", number)).batches)
    loops: list[loop.LoopRun] = []
    labs: list[Passage] = []
    with _cost(scratch) as cost:
        for _ in range(options.pairs):
            scratch.wait_for_views()
            loops.append(loop.run(stages, lane.requests("bench", number), size, _nothing))
            with cost.counted(number):
                labs.append(lane.passage(lane.requests("bench", number)))
                scratch.wait_for_views()
    ratios = [lab.docs_per_second / one.docs_per_second for lab, one in zip(labs, loops, strict=True)]
    p95 = [quantile(lab.claim_to_end(), 0.95) * 1e3 for lab in labs]
    loop_p95 = [quantile(one.residence, 0.95) * 1e3 for one in loops]
    slower = [one / other for one, other in zip(p95, loop_p95, strict=True)]
    targets = [
        at_least("lab docs/s / loop docs/s", round(statistics.median(ratios), 3), RATIO),
        at_least("lab docs/s", round(statistics.median(lab.docs_per_second for lab in labs), 1), RATE),
        at_most("p95 claim to end, lab / loop", round(statistics.median(slower), 3), P95_RATIO),
        at_most("p95 claim to end, ms", round(statistics.median(p95), 1), P95_MS),
    ]
    store = _store_cost(scratch, lane, stages, size)
    per_doc = 1e3 / statistics.median(lab.docs_per_second for lab in labs)
    detail = {
        "work_ms": options.work_ms,
        "stages": len(stages),
        "pairs": options.pairs,
        "jobs_through_the_lab": number * options.pairs,
        "group_of_the_loop": size,
        "ratio": spread(ratios, 3),
        "lab_docs_per_second": spread([lab.docs_per_second for lab in labs], 1),
        "loop_docs_per_second": spread([one.docs_per_second for one in loops], 1),
        "p95_ms": spread(p95, 1),
        "loop_p95_ms": spread(loop_p95, 1),
        "p95_ratio": spread(slower, 3),
        "claim_to_end": latencies([each for lab in labs for each in lab.claim_to_end()]),
        "submit_to_end": latencies([each for lab in labs for each in lab.submit_to_end()]),
        "last": labs[-1].describe(),
        "cpu_ms_per_doc": cost.cpu_ms_per_doc(),
        "bytes_per_doc": cost.bytes_per_doc(),
        "artifact_store": {**asdict(store), "share_of_the_lane": round(store.ms_per_doc / per_doc, 4)},
    }
    return Part(targets if options.work_ms == 1.0 else targets[:1], detail)


def _nothing(sha256: str) -> bytes:
    raise AssertionError("the bench's stages read no content")


class _Cost:
    """What the lab's processes and files grew by while documents were counted."""

    def __init__(self, scratch: ScratchLab) -> None:
        self._scratch = scratch
        self._docs = 0
        self._cpu: dict[str, float] = {}
        self._disk = scratch.bytes_on_disk()

    @contextmanager
    def counted(self, docs: int) -> Iterator[None]:
        """Count what is used inside for `docs` documents."""
        before = self._scratch.cpu_seconds()
        yield
        for name, now in self._scratch.cpu_seconds().items():
            self._cpu[name] = self._cpu.get(name, 0.0) + now - before.get(name, 0.0)
        self._docs += docs

    def cpu_ms_per_doc(self) -> dict[str, float]:
        """CPU milliseconds of each process per document."""
        return {name: round(seconds * 1e3 / self._docs, 3) for name, seconds in self._cpu.items()}

    def bytes_per_doc(self) -> dict[str, int]:
        """Bytes on disk per document, by part of the lab."""
        now = self._scratch.bytes_on_disk()
        return {name: round((size - self._disk.get(name, 0)) / self._docs) for name, size in now.items()}


@contextmanager
def _cost(scratch: ScratchLab) -> Iterator[_Cost]:
    yield _Cost(scratch)


@dataclass(frozen=True, slots=True)
class _StoreCost:
    ms_per_doc: float
    encoding_ms_per_doc: float
    ms_per_batch_and_stage: float


def _store_cost(scratch: ScratchLab, lane: Lane, stages: loop.Stages, size: int) -> _StoreCost:
    """Milliseconds per document that keeping all outputs of all stages takes: one `put_many` per batch and stage."""
    store = ArtifactStore(scratch.lab.locations.data / "bench-artifacts", "bench")
    taken, encoding = [], []
    for _ in range(5):
        requests = lane.requests("bench", size)
        values: dict[str, list[Any]] = {}
        for kind, stage in stages:
            quick = type(stage)(0.0)
            contexts = [loop.context(one, kind, "store", _nothing) for one in requests]
            inputs = [
                loop.input_of(kind, one, {name: made[place] for name, made in values.items()})
                for place, one in enumerate(requests)
            ]
            values[OUTPUT_KIND[kind]] = made = [quick.execute(*pair) for pair in zip(contexts, inputs, strict=True)]
            began = time.perf_counter()
            data = [kind_of(kind, value).encode(value) for value in made]
            encoded = time.perf_counter()
            store.put_many(data)
            taken.append((time.perf_counter() - encoded) * 1e3)
            encoding.append((encoded - began) * 1e3)
    store.close()
    rounds = len(taken) // len(stages)
    keeping, encoded = (round(sum(each) / rounds / size, 4) for each in (taken, encoding))
    return _StoreCost(keeping, encoded, round(statistics.median(taken), 3))


def empty_part(scratch: ScratchLab, options: Options) -> Part:
    """Stages without work: how fast the lane itself is, and how long the views take to catch up."""
    lane = Lane(scratch)
    passages, behind = [], []
    for _ in range(3):
        passages.append(lane.passage(lane.requests("bench-empty", 960)))
        behind.append(scratch.wait_for_views())
    rates = [passage.docs_per_second for passage in passages]
    detail = {"docs_per_second": spread(rates, 1), "views_behind_s": spread(behind), "last": passages[-1].describe()}
    return Part([at_least("empty stages, docs/s", round(statistics.median(rates), 1), EMPTY_RATE)], detail)


def idle_part(scratch: ScratchLab, options: Options) -> Part:
    """One document at a time, when nothing else is going on."""
    lane = Lane(scratch)
    took = [lane.one(request) for request in lane.requests("bench", IDLE_TRIES)]
    figures = latencies(took)
    return Part([at_most("one document at idle, submit to end p95 ms", figures.p95_ms, IDLE_P95_MS)], asdict(figures))


def arrivals_part(scratch: ScratchLab, options: Options) -> Part:
    """Documents that come at random moments, whether the lab keeps up or not (an open loop)."""
    lane = Lane(scratch)
    chance = random.Random(SEED)
    number = int(ARRIVALS_PER_SECOND * ARRIVAL_SECONDS)
    gaps = [chance.expovariate(ARRIVALS_PER_SECOND) for _ in range(number)]
    passage = lane.passage(lane.requests("bench", number), gaps)
    return Part([], {"offered_per_second": ARRIVALS_PER_SECOND, **passage.describe()})


def failures_part(scratch: ScratchLab, options: Options) -> Part:
    """Batches in which some documents fail, against the same number without."""
    lane = Lane(scratch)
    number = max(96, options.jobs // options.pairs)
    rates: dict[int, list[float]] = {0: [], FAULTY_EACH: []}
    last: Passage | None = None
    for _ in range(3):
        for faulty in rates:
            last = lane.passage(lane.requests("bench", number, faulty))
            rates[faulty].append(last.docs_per_second)
            scratch.wait_for_views()
    assert last is not None
    ratios = [with_ / without for without, with_ in zip(rates[0], rates[FAULTY_EACH], strict=True)]
    return Part([], {"failing_each": FAULTY_EACH, "rate_with / rate_without": spread(ratios, 3), **last.describe()})


def gates_part(scratch: ScratchLab, options: Options) -> Part:
    """From opening a gate to the start of the first stage after it, one gate at a time."""
    lane, ledger = Lane(scratch), scratch.lab.ledger
    took: list[float] = []
    for request in lane.requests("bench-gate", GATE_TRIES):
        (job_id,) = lane.send([request])
        lane.await_event(job_id, GateWaiting, None)
        after = lane.head()
        began = time.time()
        ledger.gate_open(job_id, by="bench", why="measured")
        started = lane.await_event(job_id, StageStarted, after)
        took.append(started.t0 - began)
        lane.await_event(job_id, JobCompleted, after)
    figures = latencies(took)
    return Part([at_most("gate open to first stage p95 ms", figures.p95_ms, GATE_P95_MS)], asdict(figures))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    default = Options()
    parser.add_argument("--work-ms", type=float, default=default.work_ms, help="milliseconds per stage and document")
    parser.add_argument("--jobs", type=int, default=default.jobs, help="documents through the lab in the lane part")
    parser.add_argument("--pairs", type=int, default=default.pairs, help="how often loop and lab alternate")
    parser.add_argument("--history", type=int, default=default.history, help="jobs in Dagster's history")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this part alone; may be repeated")
    parser.add_argument("--real", action="store_true", help="measure the real stages of the cpu profile alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the lab in this folder and leave it there")


def options_from(args: argparse.Namespace) -> Options:
    """The options that were given."""
    parts = ("real",) if args.real else tuple(args.part or PARTS)
    return Options(args.work_ms, args.jobs, args.pairs, args.history, parts, args.keep)
