"""`medkg-lab sql`."""

import argparse
import sys

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import MOST, between
from medkg_lab.cli.output import print_file, print_json, print_note, print_table


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("sql", parents=[common], help="ask the ledger's tables with a SELECT")
    tables = "job, stage_run, gate, document, artifact, provenance, audit, event_archive"
    parser.add_argument("statement", help=f"one SELECT; tables: {tables}")
    parser.add_argument("--limit", type=between(1, MOST), default=1000, help="how many rows at most (default 1000)")
    parser.add_argument("--csv", action="store_true", help="print CSV on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the statement and print its rows."""
    from medkg_lab.lab import sql
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    answer = sql.select(Lab.at(args.home), args.statement, args.limit)
    if args.json:
        print_json(to_json(answer))
    elif args.csv:
        # A terminal has no use for the CR.
        print_file(sql.csv_text(answer, "\n" if sys.stdout.isatty() else "\r\n"))
    else:
        print_table(answer.columns, answer.rows)
    if answer.truncated:
        print_note(f"only the first {args.limit} rows are shown; raise --limit for more")
    return exit_codes.OK
