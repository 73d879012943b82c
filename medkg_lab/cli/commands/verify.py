"""`medkg-lab verify`."""

import argparse

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        parents=[common],
        help="prove that work queue, ledger, events topic and Dagster say the same of every request and stage execution",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare them and print the differences; exit code 1 when there are any."""
    from msgspec import to_builtins

    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.verify import QueueCounts, verify

    found = verify(Lab.at(args.home))
    if args.json:
        print_json(to_builtins(found))
    else:
        events, queue = found.cloudevents, found.requests or QueueCounts(0, 0, 0, 0)
        print_text(
            f"{queue.requests} requests ({queue.dead} set aside, {queue.waiting} to be read), {found.jobs} jobs, "
            f"{found.stage_executions} stage executions, {events.distinct} CloudEvents ({events.redelivered} "
            f"redelivered), {found.dagster_runs} Dagster runs: {found.differences_in_all or 'no'} differences"
        )
        for one in found.differences:
            print_text("  " + ", ".join(f"{name}: {value}" for name, value in one.items()))
    return exit_codes.OK if found.ok else exit_codes.FAILED
