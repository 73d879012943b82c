"""`medkg-lab report`."""

import argparse
import time
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report", parents=[common], help="write what the lab did as one page, with charts and the graph"
    )
    parser.add_argument("--out", type=Path, required=True, help="the file, such as report.html")
    parser.add_argument(
        "--judged",
        type=Path,
        metavar="FILE",
        help="a query a line, a tab, the documents that answer it: how well they are found",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    from medkg_lab.files import replace_private
    from medkg_lab.report.facts import gather
    from medkg_lab.report.judged import read_judged
    from medkg_lab.report.page import render
    from medkg_lab.sdk.lab import Lab

    judged = () if args.judged is None else read_judged(args.judged)
    page = render(gather(Lab(args.home), time.time(), judged))
    replace_private(args.out, page)
    size = len(page.encode())
    if args.json:
        print_json({"ok": True, "path": str(args.out), "bytes": size})
    else:
        print_note(f"{args.out}: {size / 1e6:.1f} MB, which opens without network")
    return exit_codes.OK
