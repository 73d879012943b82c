"""`medkg-lab audit`: who did what."""

import argparse
import time
from dataclasses import asdict

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import seconds
from medkg_lab.cli.output import clock, print_json, print_table

_LONGEST_S = 100 * 366 * 86_400.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "audit",
        parents=[common],
        help="show who opened, rejected, retried, cancelled or changed something, and who logged in",
    )
    parser.add_argument("--by", help="only what this person or process did")
    parser.add_argument("--action", help="only events of this type, such as gate.opened")
    parser.add_argument("--job", help="only what was done to the job with this id")
    parser.add_argument(
        "--within", type=seconds(high=_LONGEST_S), metavar="SECONDS", help="only the last so many seconds"
    )
    parser.set_defaults(run=_audit)


def _audit(args: argparse.Namespace) -> int:
    from medkg_lab.lab.audit import Filter, read
    from medkg_lab.lab.facade import Lab

    since = None if args.within is None else time.time() - args.within
    wanted = Filter(by=args.by, action=args.action, job=args.job, since=since)
    found = read(Lab.at(args.home).ledger, wanted)
    if args.json:
        print_json([asdict(one) for one in found])
        return exit_codes.OK
    rows = (
        (
            one.seq,
            clock(one.ts),
            one.by,
            one.action,
            one.subject,
            one.jobs[0] if len(one.jobs) == 1 else f"{len(one.jobs)} jobs" if one.jobs else "",
            f"{one.before} → {one.after}" if one.before else one.after,
            one.why,
        )
        for one in found
    )
    print_table(("event", "when", "by", "action", "what", "job", "change", "why"), rows)
    return exit_codes.OK
