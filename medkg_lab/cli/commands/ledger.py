"""`medkg-lab ledger`: looking after the job ledger's files."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import MOST, between
from medkg_lab.cli.output import print_fields, print_json, print_note, print_table, print_text
from medkg_lab.cli.parser import text_path
from medkg_lab.errors import LabError

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.rebuild import RebuildReport
    from medkg_lab.ledger.recover import RecoveryReport

REBUILD_TIMEOUT_S = 600.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser(
        "ledger", help="look after the job ledger: snapshots, pruning, recovery"
    ).add_subparsers(metavar="ACTION", required=True)
    migrate = group.add_parser("migrate", parents=[common], help="take the jobs of an older ledger in")
    migrate.add_argument("file", type=Path, help="JSON lines, or a DuckDB or SQLite database with a table of jobs")
    migrate.add_argument("--table", help="the table to read, if the database has several with jobs")
    migrate.set_defaults(run=_migrate)
    rebuild = group.add_parser("rebuild", parents=[common], help="drop the tables and make them again from the events")
    rebuild.set_defaults(run=_rebuild)
    snapshot = group.add_parser("snapshot", parents=[common], help="copy the ledger, consistently, while it runs")
    snapshot.add_argument(
        "folder", nargs="?", type=text_path, help="a new folder (default: one among the ledger's files)"
    )
    snapshot.set_defaults(run=_snapshot)
    recover = group.add_parser("recover", parents=[common], help="bring a damaged ledger back")
    recover.add_argument(
        "--snapshot", action="append", type=Path, default=[], help="a snapshot to look through as well"
    )
    recover.add_argument(
        "--accept-loss", action="store_true", help="go on without the events that cannot be brought back"
    )
    recover.add_argument(
        "--accept-more", action="store_true", help="also use signed events beyond the last that was acknowledged"
    )
    recover.add_argument(
        "--accept-unsigned",
        action="store_true",
        help="also use records of the topic that older versions wrote without a signature; nothing shows who wrote them",
    )
    recover.set_defaults(run=_recover)
    prune = group.add_parser("prune", parents=[common], help="move events that every view has seen to the archive")
    prune.add_argument("--keep", type=between(0, MOST), help="how many of the newest events stay (default 50000)")
    prune.set_defaults(run=_prune)


def _migrate(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.migrate import migrate

    report = migrate(Lab.at(args.home), args.file, args.table)
    if args.json:
        print_json(asdict(report))
    else:
        shown = [row for row in report.rows if row.outcome != "migrated"]
        if shown:
            rows = ((row.row, row.job_id, row.outcome, row.reason) for row in shown)
            print_table(("row", "job_id", "outcome", "reason"), rows)
        print_text(f"{report.migrated} migrated, {report.skipped} skipped, {report.failed} failed")
    return exit_codes.FAILED if report.failed else exit_codes.OK


def _rebuild(args: argparse.Namespace) -> int:
    """Through the running ledger, which restarts; without one, here."""
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    lab = Lab.at(args.home)
    folder = lab.locations.data / "ledger"
    if lab.supervisor.is_running():
        report = _rebuilt(lab, folder / "rebuild.json")
    else:
        from medkg_lab.ledger.rebuild import rebuild

        report = rebuild(folder)
    if args.json:
        print_json(to_json(report))
    else:
        print_fields(report.tables)
        compared = report.differing
        told = (
            "nothing to compare them with" if compared is None else f"rows differ in: {', '.join(compared) or 'none'}"
        )
        print_text(f"made again from {report.head} events in {report.seconds} s; {told}")
    return exit_codes.FAILED if report.differing else exit_codes.OK


def _rebuilt(lab: "Lab", path: Path) -> "RebuildReport":
    import json

    from medkg_lab.ledger.answers import read
    from medkg_lab.ledger.rebuild import RebuildReport

    before = path.stat().st_mtime_ns if path.exists() else None
    lab.ledger.rebuild()
    until = time.monotonic() + REBUILD_TIMEOUT_S
    while not path.exists() or path.stat().st_mtime_ns == before:
        if time.monotonic() > until:
            raise RebuildLate(seconds=REBUILD_TIMEOUT_S)
        time.sleep(0.1)
    return read(json.loads(path.read_text()), RebuildReport)


def _snapshot(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    made = Lab.at(args.home).ledger.snapshot(args.folder.absolute() if args.folder else None)
    if args.json:
        print_json(to_json(made))
    else:
        print_text(f"{made.head} events and the tables as of event {made.fold} are in {made.path}")
    return exit_codes.OK


def _recover(args: argparse.Namespace) -> int:
    from medkg_lab.lab.event_log import event_log
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json
    from medkg_lab.ledger.recover import recover

    lab = Lab.at(args.home)
    snapshots = [path.absolute() for path in args.snapshot]
    with event_log(lab, args.accept_unsigned, args.accept_more) as topic:
        report = recover(lab.locations.data / "ledger", topic, snapshots, args.accept_loss)
    if report.installed and lab.supervisor.is_running():
        lab.supervisor.restart("ledgerd")
    if args.json:
        print_json(to_json(report))
    else:
        print_table(("source", "first", "last"), ((each.source, each.first, each.last) for each in report.taken))
        for name, problem in report.problems.items():
            print_note(f"{name}: {problem}")
        print_text(_recovery_text(report))
    return exit_codes.OK if report.installed else exit_codes.FAILED


def _recovery_text(report: "RecoveryReport") -> str:
    if report.lost is None:
        return f"all {report.head} events are back; the old files are in {report.kept}"
    first, last = report.lost
    found = ", ".join(f"{each.first} to {each.last} in {each.source}" for each in report.unusable)
    beyond = f" (found, but of no use without those before: {found})" if found else ""
    if report.installed:
        return f"events {first} to {last} are lost{beyond}; the old files are in {report.kept}"
    return (
        f"events {first} to {last} cannot be brought back{beyond}. Nothing was changed; --accept-loss goes on without"
    )


def _prune(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    report = Lab.at(args.home).ledger.prune(args.keep)
    if args.json:
        print_json(to_json(report))
    else:
        behind = ", ".join(f"{view} at {seq}" for view, seq in sorted(report.views.items()))
        print_text(f"{report.pruned} events were moved; events after {report.low} of {report.head} stay ({behind})")
    return exit_codes.OK


class RebuildLate(LabError):
    """The ledger has not made its tables again within {seconds} s. `medkg-lab logs ledgerd` shows how far it is."""
