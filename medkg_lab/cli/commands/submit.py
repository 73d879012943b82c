"""`medkg-lab submit`."""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import MOST, between, seconds
from medkg_lab.cli.output import live_line, print_json, print_note, print_table, time_taken
from medkg_lab.cli.parser import text_or_file

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.submit import SubmitOutcome
    from medkg_lab.lab.wait import Progress


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("submit", parents=[common], help="submit documents")
    parser.add_argument(
        "target",
        nargs="+",
        type=text_or_file,
        help="files, folders, ids (NCT…, PMC…, a DOI, a PubMed id, or the address of one), or with --query search words",
    )
    parser.add_argument(
        "--source", help="the source of an id or query: clinicaltrials, pmc, pmc-fulltext, pubmed, unpaywall, core"
    )
    parser.add_argument("--query", action="store_true", help="the targets are queries at the source")
    parser.add_argument(
        "--limit",
        type=between(1, MOST),
        default=100,
        help="how many documents a query stands for at most (default 100)",
    )
    parser.add_argument("--pipeline", help="the pipeline to use instead of the one made for the source")
    parser.add_argument("--tenant", default="default", help="the tenant the documents belong to")
    parser.add_argument(
        "--again", action="store_true", help="run again even when the same content was completed before"
    )
    parser.add_argument(
        "--replaces", metavar="DOC_ID", help="the one file is a new version of this document, and takes its place"
    )
    parser.add_argument("--wait", action="store_true", help="wait until every job has ended or needs a person")
    parser.add_argument(
        "--timeout", type=seconds(), default=3600.0, metavar="SECONDS", help="how long to wait (default 3600)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Submit, and wait when asked to."""
    from medkg_lab.lab import submit
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    started = time.monotonic()
    options = submit.SubmitOptions(
        source=args.source,
        pipeline=args.pipeline,
        is_query=args.query,
        again=args.again,
        limit=args.limit,
        tenant=args.tenant,
        replaces=args.replaces,
    )
    outcome = submit.submit(lab, args.target, options)
    skipped = [{"path": str(one.path), "reason": one.reason} for one in outcome.skipped]
    for one in skipped:
        print_note(f"skipped {one['path']}: {one['reason']}")
    if args.wait:
        for job in outcome.jobs:
            if job.note:
                print_note(f"{job.doc_id}: {job.note}")
        return _wait(args, lab, outcome, skipped, started)
    jobs = [one.__dict__ for one in outcome.jobs]
    if args.json:
        print_json({"jobs": jobs, "skipped": skipped})
    else:
        rows = ((one.job_id, one.doc_id, one.pipeline, one.content or None, one.note) for one in outcome.jobs)
        print_table(("job", "document", "pipeline", "content", ""), rows)
    return exit_codes.OK if jobs or not skipped else exit_codes.FAILED


def progress_words(seen: "Progress", started: float) -> str:
    """Where a wait is, such as `9/14 · embed · 0:21`: jobs that have ended, where most of the others are, and the time."""
    ended = len(seen.states) - len(seen.unfinished())
    stages = Counter(job.stage or job.state for job_id in seen.unfinished() if (job := seen.jobs.get(job_id)))
    where = stages.most_common(1)[0][0] if stages else "on the queue" if seen.unfinished() else "done"
    return f"{ended}/{len(seen.states)} · {where} · {time_taken(started)}"


def print_outcome(counts: Mapping[str, int], failures: Sequence[tuple[str, str | None, str | None]]) -> None:
    """How many jobs ended in which state, and the documents, kinds and reasons of those that did not go through, if any."""
    print_table(("state", "jobs"), sorted(counts.items()))
    if failures:
        print_table(("document", "kind", "reason"), failures)


def _wait(
    args: argparse.Namespace, lab: "Lab", outcome: "SubmitOutcome", skipped: list[dict[str, str]], started: float
) -> int:
    from medkg_lab.lab.wait import wait_with_expansions

    known = sum(one.already for one in outcome.jobs)
    if known:
        print_note(f"{known} of {len(outcome.jobs)} already known")
    with live_line() as line:
        progress = wait_with_expansions(
            lab, [one.job_id for one in outcome.jobs], args.timeout, lambda seen: line(progress_words(seen, started))
        )
    seconds = time.monotonic() - started
    counts = progress.counts()
    failed = [job for job in progress.jobs.values() if job.state in {"failed", "dead", "cancelled"}]
    failures = [
        {
            "job_id": job.job_id,
            "doc_id": job.doc_id,
            "state": job.state,
            "kind": job.failure_kind,
            "reason": job.reason,
        }
        for job in failed
    ]
    waiting = [job.doc_id for job in progress.jobs.values() if job.state == "waiting_gate"]
    if args.json:
        print_json(
            {
                "jobs": counts,
                "failures": failures,
                "waiting_for_a_person": waiting,
                "skipped": skipped,
                "already": sum(one.already for one in outcome.jobs),
                "documents": [{"doc_id": one.doc_id, "content": one.content, "note": one.note} for one in outcome.jobs],
                "seconds": round(seconds, 2),
                "docs_per_second": round(len(progress.states) / seconds, 2),
            }
        )
    else:
        print_outcome(counts, [(one.doc_id, one.failure_kind, one.reason) for one in failed])
    if waiting:
        number = "1 document waits at its" if len(waiting) == 1 else f"{len(waiting)} documents wait at their"
        print_note(f"{number} gate for a person: `medkg-lab gate list`")
        return exit_codes.GATE_REFUSED
    if any(one.failure_kind == "gpu_unavailable" for one in failed):
        return exit_codes.GPU_UNAVAILABLE
    return exit_codes.FAILED if failures else exit_codes.OK
