"""`medkg-lab policies rehearse` and `pipeline rehearse`: what a change would have made of jobs that were recorded."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import MOST, between
from medkg_lab.cli.output import print_json, print_note, print_table, print_text

if TYPE_CHECKING:
    from medkg_lab.repro.overrides import ReplayOverrides
    from medkg_lab.repro.workbench import Workbench

LAST = 50


def add_policies(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add `policies rehearse`."""
    parser = group.add_parser(
        "rehearse", parents=[common], help="replay an archive's recorded failures against other policies"
    )
    parser.add_argument("archive", type=Path, help="an archive that `repro export` wrote")
    parser.add_argument(
        "--policies", required=True, metavar="FILE", help="the policies to try; they add to the archive's"
    )
    parser.set_defaults(run=_policies)


def add_pipeline(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add `pipeline rehearse`."""
    parser = group.add_parser("rehearse", parents=[common], help="run the last recorded jobs on a changed pipeline")
    parser.add_argument("file", type=Path, help="the changed pipeline's file")
    parser.add_argument(
        "--last", type=between(1, MOST), default=LAST, help=f"how many of its newest jobs (default {LAST})"
    )
    parser.add_argument("--archive", type=Path, help="the jobs of this archive instead of the lab's")
    parser.set_defaults(run=_pipeline)


def _policies(args: argparse.Namespace) -> int:
    from medkg_lab.locations import locate
    from medkg_lab.repro import archive, versions
    from medkg_lab.repro.overrides import ReplayOverrides
    from medkg_lab.repro.workbench import Workbench

    with tempfile.TemporaryDirectory(prefix="medkg-rehearse-") as home:
        bench = Workbench.of(archive.read(args.archive), locate(home))
        chosen = versions.policies(bench.incident, args.policies)
        return _rehearse(args, bench, ReplayOverrides(policies=chosen, beyond=True))


def _pipeline(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.locations import locate
    from medkg_lab.repro import archive, export
    from medkg_lab.repro.overrides import ReplayOverrides
    from medkg_lab.repro.workbench import Workbench
    from medkg_lab.topology.loader import load_topology

    lab = Lab.at(args.home)
    topology = load_topology(args.file, policies=lab.catalog.policies().names)
    if args.archive is not None:
        made = archive.read(args.archive)
    else:
        jobs = [job.job_id for job in lab.ledger.jobs(pipeline=topology.name, limit=args.last)]
        if not jobs:
            print_note(f"there is no job of {topology.name} to rehearse with")
            return exit_codes.FAILED
        made = export.gather(lab, jobs, topics=False).archive
    with tempfile.TemporaryDirectory(prefix="medkg-rehearse-") as home:
        bench = Workbench.of(made, locate(home))
        return _rehearse(args, bench, ReplayOverrides(topologies={topology.name: topology}, beyond=True))


def _rehearse(args: argparse.Namespace, bench: "Workbench", choices: "ReplayOverrides") -> int:
    from medkg_lab.repro.rehearsal import rehearse

    found = rehearse(bench, choices)
    if args.json:
        print_json(found.to_json())
        return exit_codes.OK
    names = ("seconds", "attempts", "openings", "completed", "failed", "waiting")
    print_table(
        ("", *names), [(side.name, *(getattr(side, name) for name in names)) for side in (found.before, found.after)]
    )
    for one in found.outcomes:
        print_text(f"{one.doc_id}: {one.before}\n  would be {one.after}")
    if found.assumed:
        print_note(f"{found.assumed} calls go beyond the recording; each was answered as the last recorded one")
    for call in found.unrecorded:
        print_note(call)
    print_text(f"{found.divergences} differences in what the stages made")
    return exit_codes.OK
