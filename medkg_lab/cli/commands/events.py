"""`medkg-lab events`."""

import argparse
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import LAST_EVENT, between
from medkg_lab.cli.output import clock, print_json_line, print_text
from medkg_lab.text import one_line

if TYPE_CHECKING:
    from medkg_lab.models.events import Event


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("events", parents=[common], help="show the ledger's events, a line each")
    parser.add_argument("--follow", action="store_true", help="go on showing new ones until Ctrl-C")
    parser.add_argument(
        "--after", type=between(0, LAST_EVENT), metavar="SEQ", help="start after this event (default: the last 50)"
    )
    parser.add_argument("--job", help="only events of this job, without the other jobs of its batches")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print events; with `--json` each line is one JSON object."""
    from medkg_lab.lab.facade import Lab
    from medkg_lab.models.event_codec import to_json
    from medkg_lab.repro.slices import cut

    ledger = Lab.at(args.home).ledger
    after = args.after
    if after is None:
        head = ledger.counts().head
        after = head if args.follow else 0 if args.job else max(0, head - 50)
    while True:
        page = ledger.events(after=after, limit=1000, wait_s=1.0 if args.follow else 0, job_id=args.job)
        for event in page.events:
            event = (cut(event, {args.job}) or event) if args.job else event
            print_json_line(to_json(event)) if args.json else print_text(_line(event))
        if page.events:
            after = page.events[-1].seq
        elif not args.follow:
            return exit_codes.OK


def _line(event: "Event") -> str:
    from medkg_lab.models.event_codec import data_to_json

    jobs = event.jobs[0] if len(event.jobs) == 1 else f"{len(event.jobs)} jobs"
    details = {
        name: value
        for name, value in data_to_json(event.data).items()
        if isinstance(value, str | int | float) and name != "content"
    }
    text = " ".join(f"{name}={value}" for name, value in details.items())
    return one_line(f"{event.seq:>7} {clock(event.ts)} {event.type:<18} {event.stage or '-':<12} {jobs} {text}", 200)
