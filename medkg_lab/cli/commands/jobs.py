"""`medkg-lab jobs list | show | why | retry | cancel | acknowledge | refused`."""

import argparse
from typing import TYPE_CHECKING, ClassVar

from medkg_lab import exit_codes
from medkg_lab.cli.job_outputs import show_output
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import clock, print_fields, print_json, print_note, print_table, print_text
from medkg_lab.errors import LabError

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import JobDetail

JOB = "a job's id or the beginning of it, or a document's id or key for its newest job"
_STATES = ("queued", "running", "waiting_gate", "completed", "failed", "dead", "cancelled")


class ChunkWithoutStage(LabError):
    """--chunk {chunk} says nothing without the stage that made it. Add `--stage` with the name of the pipeline's chunk stage."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class RetryUnclear(LabError):
    """It is not clear what to retry. Name one job, with `--from` if it is to start from a stage, or all jobs in a state by
    `--state failed` or `--state dead`, which `--kind` and `--pipeline` narrow down."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class AcknowledgeUnclear(LabError):
    """It is not clear what to acknowledge. Name one job, or all by `--state failed` or `--state dead`, which `--pipeline`
    narrows down."""

    exit_code: ClassVar[int] = exit_codes.USAGE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    jobs = commands.add_parser("jobs", parents=[common], help="look at jobs, retry or cancel them; alone it lists them")
    jobs.set_defaults(
        run=_list, state=None, pipeline=None, doc=None, tenant=None, correlation=None, source=None, limit=100
    )
    group = jobs.add_subparsers(metavar="ACTION")
    listed = group.add_parser("list", parents=[common], help="list jobs")
    listed.add_argument("--state", choices=_STATES, help="only jobs in this state")
    listed.add_argument("--pipeline", help="only jobs of this pipeline")
    listed.add_argument("--doc", help="only jobs of this document id")
    listed.add_argument("--tenant", help="only jobs of this tenant")
    listed.add_argument("--correlation", help="only jobs with this correlation id")
    listed.add_argument("--source", help="only jobs of this source")
    listed.add_argument("--limit", type=between(1, 100_000), default=100, help="how many (default 100)")
    listed.set_defaults(run=_list)
    show = group.add_parser("show", parents=[common], help="show one job with its stages")
    show.add_argument("job", help=JOB)
    show.add_argument(
        "--stage",
        help="show what this stage made: chunks and blocks with their places in the source; pdf for a PDF's text",
    )
    show.add_argument("--chunk", help="with the chunk stage: only the chunk of this id or number")
    show.set_defaults(run=_show)
    why = group.add_parser("why", parents=[common], help="explain why a job is not moving, or how it ended")
    why.add_argument("job", help=JOB)
    why.set_defaults(run=_why)
    retry = group.add_parser(
        "retry", parents=[common], help="run a job again, from a stage, or all that failed or were given up"
    )
    retry.add_argument("job", nargs="?", help=JOB)
    retry.add_argument(
        "--from", dest="stage", help="the stage to start from (default: the first that is not completed)"
    )
    retry.add_argument("--state", choices=("failed", "dead"), help="instead of one job, all jobs in this state")
    retry.add_argument("--kind", help="with --state: only jobs that failed with this kind, such as internal or service")
    retry.add_argument("--pipeline", help="with --state: only jobs of this pipeline")
    retry.set_defaults(run=_retry)
    cancel = group.add_parser("cancel", parents=[common], help="cancel a job")
    cancel.add_argument("job", help=JOB)
    cancel.add_argument("--why", default="no reason given", help="the reason, which is recorded")
    cancel.set_defaults(run=_cancel)
    seen = group.add_parser(
        "acknowledge",
        parents=[common],
        help="note that a failure was seen: it stays on record and needs nobody any more",
    )
    seen.add_argument("job", nargs="?", help=JOB)
    seen.add_argument("--state", choices=("failed", "dead"), help="instead of one job, all jobs in this state")
    seen.add_argument("--pipeline", help="with --state: only jobs of this pipeline")
    seen.set_defaults(run=_acknowledge)
    refused = group.add_parser(
        "refused", parents=[common], help="list the records of the work queue that became no jobs"
    )
    refused.add_argument("--acknowledge", action="store_true", help="note that all of them were seen")
    refused.set_defaults(run=_refused)


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    jobs = Lab.at(args.home).ledger.jobs(
        state=args.state,
        pipeline=args.pipeline,
        doc=args.doc,
        tenant=args.tenant,
        correlation=args.correlation,
        source=args.source,
        limit=args.limit,
    )
    if args.json:
        print_json(to_json(jobs))
        return exit_codes.OK
    columns = ("job", "document", "pipeline", "state", "stage", "kind", "reason")
    keys = ("job_id", "doc_id", "pipeline", "state", "stage", "failure_kind", "reason")
    print_table(columns, (tuple(getattr(one, key) for key in keys) for one in jobs))
    return exit_codes.OK


def _show(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job, replaced_version
    from medkg_lab.ledger.answers import to_json

    if args.chunk is not None and not args.stage:
        raise ChunkWithoutStage(chunk=args.chunk)
    lab = Lab.at(args.home)
    job = find_job(lab, args.job)
    if args.stage:
        show_output(lab, job, args.stage, args.chunk, args.json)
        return exit_codes.OK
    replaced = replaced_version(lab, job)
    if args.json:
        earlier = replaced and {"job_id": replaced.job_id, "created_at": replaced.created_at}
        print_json({**to_json(job), "replaces": earlier})
        return exit_codes.OK
    names = (
        "job_id",
        "doc_id",
        "tenant_id",
        "pipeline",
        "pipeline_version",
        "state",
        "stage",
        "failure_kind",
        "reason",
        "attempt",
    )
    print_fields(
        {name: getattr(job, name) for name in names}
        | {"created": clock(job.created_at), "updated": clock(job.updated_at)}
        | {"replaces": replaced and f"the version of {clock(replaced.created_at)} (job {replaced.job_id})"}
    )
    if job.stages:
        print_text("")
        columns = ("stage", "execution", "status", "ms", "count", "device", "output", "error")
        keys = ("stage", "execution", "status", "ms", "count", "device", "ref", "error")
        print_table(columns, (tuple(getattr(one, key) for key in keys) for one in job.stages), widest=20)
    return exit_codes.OK


def _why(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job
    from medkg_lab.lab.status import explain_job

    lab = Lab.at(args.home)
    job = find_job(lab, args.job)
    sentence = explain_job(lab, job)
    if args.json:
        print_json({"job_id": job.job_id, "state": job.state, "why": sentence})
    else:
        print_text(sentence)
    return exit_codes.OK


def _retry(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job, person

    alone = args.state is None
    if (args.job is None) == alone or (alone and (args.kind or args.pipeline)) or (args.stage and not alone):
        raise RetryUnclear()
    lab = Lab.at(args.home)
    if not alone:
        return _retry_all(args, lab)
    job = find_job(lab, args.job)
    lab.ledger.retry(job.job_id, from_stage=args.stage, by=person())
    return _print_done(args, job, "runs again")


def _retry_all(args: argparse.Namespace, lab: "Lab") -> int:
    from medkg_lab.lab.lookup import person
    from medkg_lab.lab.retries import retry_all

    jobs = retry_all(lab.ledger, person(), args.state, args.kind, args.pipeline)
    if args.json:
        print_json({"ok": True, "retried": len(jobs), "job_ids": jobs})
    else:
        print_note(f"Retrying {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}.")
    return exit_codes.OK


def _cancel(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job, person

    lab = Lab.at(args.home)
    job = find_job(lab, args.job)
    lab.ledger.cancel(job.job_id, by=person(), why=args.why)
    return _print_done(args, job, "is cancelled")


def _acknowledge(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.failures import acknowledge_all
    from medkg_lab.lab.lookup import find_job, person

    if (args.job is None) == (args.state is None) or (args.pipeline and args.state is None):
        raise AcknowledgeUnclear()
    lab = Lab.at(args.home)
    if args.state is None:
        job = find_job(lab, args.job)
        lab.ledger.acknowledge([job.job_id], by=person())
        return _print_done(args, job, "is acknowledged")
    jobs = acknowledge_all(lab.ledger, person(), args.state, args.pipeline)
    if args.json:
        print_json({"ok": True, "acknowledged": len(jobs), "job_ids": jobs})
    else:
        print_note(f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} acknowledged.")
    return exit_codes.OK


def _refused(args: argparse.Namespace) -> int:
    from medkg_lab.lab import failures
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import person

    lab = Lab.at(args.home)
    lab.require_running()  # else the broker would be waited for, half a minute
    new = failures.acknowledge_refusals(lab, person()) if args.acknowledge else 0
    found = failures.refusals(lab)
    seen = failures.seen_refusals(lab.ledger)
    if args.json:
        rows = [{"record": one.origin, "reason": one.reason, "at": one.at} for one in found]
        print_json({"refused": rows, "acknowledged": seen})
        return exit_codes.OK
    print_table(("record", "when", "reason"), ((one.origin, clock(one.at), one.reason) for one in found))
    print_note(
        f"{new} acknowledged." if args.acknowledge else f"{max(0, len(found) - seen)} of {len(found)} not acknowledged."
    )
    return exit_codes.OK


def _print_done(args: argparse.Namespace, job: "JobDetail", what: str) -> int:
    if args.json:
        print_json({"ok": True, "job_id": job.job_id})
    else:
        print_note(f"{job.doc_id} {what}")
    return exit_codes.OK
