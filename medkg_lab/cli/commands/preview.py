"""`medkg-lab pipeline preview`: which of the last documents an edited pipeline would chunk or extract differently."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import print_note, print_text

LAST = 20


def add(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = group.add_parser(
        "preview",
        parents=[common],
        help="which of the last documents a changed pipeline would chunk or extract differently",
    )
    parser.add_argument("name", help="the pipeline")
    parser.add_argument("file", type=Path, help="its changed file")
    parser.add_argument("--last", type=between(1, 1000), default=LAST, help=f"how many documents (default {LAST})")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.preview import not_tried, preview
    from medkg_lab.topology.loader import load_topology

    lab = Lab.at(args.home)
    old = lab.catalog.topology(args.name)
    new = load_topology(args.file, policies=lab.catalog.policies().names)
    differ = seen = 0
    for one in preview(lab, old, new, args.last):
        seen, differ = one.number, differ + one.differs
        if args.json:
            # A line as soon as it is known, whoever reads.
            print_text(json.dumps(asdict(one) | {"differs": one.differs}, ensure_ascii=False))
            sys.stdout.flush()
        elif one.differs or one.trouble:
            chunks = f"chunks {len(one.before.chunks)} → {len(one.after.chunks)}"
            found = f"found {len(one.before.found)} → {len(one.after.found)}"
            print_text(f"{one.doc_id}: {one.trouble or f'{chunks}, {found}'}")
    if not args.json:
        print_text(f"{differ} of {seen} documents would differ")
        for reason in not_tried(lab, new):
            print_note(f"not tried: {reason}")
    return exit_codes.OK
