"""`medkg-lab backup create | list | verify` and `medkg-lab restore`."""

import argparse
import time
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import between, seconds
from medkg_lab.cli.output import clock, print_json, print_note, print_table, print_text
from medkg_lab.cli.parser import text_path

if TYPE_CHECKING:
    from medkg_lab.lab.backups import Backup

_MAX_KEPT = 10_000
_MIB = 1024 * 1024
_LONGEST_S = 100 * 366 * 86_400.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("backup", help="back the whole lab up, also while it runs").add_subparsers(
        metavar="ACTION", required=True
    )
    create = group.add_parser("create", parents=[common], help="make a backup")
    create.add_argument("--to", type=text_path, metavar="FOLDER", help="make it below this folder")
    create.add_argument("--keep", type=between(1, _MAX_KEPT), help="remove all but so many of the newest there")
    create.add_argument(
        "--if-older", type=seconds(high=_LONGEST_S), metavar="SECONDS", help="only if the newest one there is older"
    )
    create.set_defaults(run=_create)
    listed = group.add_parser("list", parents=[common], help="list the backups")
    listed.add_argument("--in", dest="folder", type=text_path, metavar="FOLDER", help="those below this folder")
    listed.set_defaults(run=_list)
    verify = group.add_parser("verify", parents=[common], help="read every file of a backup and compare its hash")
    verify.add_argument("backup", type=text_path, help="the backup's folder")
    verify.set_defaults(run=_verify)
    restore = commands.add_parser("restore", parents=[common], help="make a lab of a backup, in an empty home")
    restore.add_argument("backup", type=text_path, help="the backup's folder")
    restore.set_defaults(run=_restore)


def _create(args: argparse.Namespace) -> int:
    from medkg_lab.lab import backups
    from medkg_lab.lab.backup import create
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    folder = backups.folder_of(lab.locations, args.to or lab.settings.backup.folder).absolute()
    if args.if_older is not None and backups.is_young(folder, args.if_older, time.time()):
        if args.json:
            print_json(None)
        return exit_codes.OK
    made = create(lab, folder, args.keep)
    if args.json:
        print_json(_shown(made))
        return exit_codes.OK
    print_text(f"{made.path}: {_events(made.manifest.head)}, {_mib(made.manifest.size)}")
    if made.manifest.left_out:
        print_note(f"left out, because they are secret: {', '.join(made.manifest.left_out)}")
    return exit_codes.OK


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.lab import backups
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    found = backups.found(backups.folder_of(lab.locations, args.folder or lab.settings.backup.folder))
    if args.json:
        print_json([_shown(one) for one in found])
        return exit_codes.OK
    rows = (
        (
            clock(one.manifest.made_at),
            _events(one.manifest.head),
            _mib(one.manifest.size),
            one.manifest.made_by,
            one.path,
        )
        for one in found
    )
    print_table(("made", "has", "size", "version", "path"), rows, widest=400)
    return exit_codes.OK


def _verify(args: argparse.Namespace) -> int:
    from medkg_lab.lab import backups

    found = backups.read(args.backup.absolute())
    wrong = list(backups.differences(found))
    if args.json:
        print_json({**_shown(found), "differences": wrong})
    else:
        for one in wrong:
            print_text(one)
        print_text(f"{len(found.manifest.files)} files were read; {len(wrong) or 'no'} differences")
    return exit_codes.FAILED if wrong else exit_codes.OK


def _restore(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from medkg_lab.lab.restore import restore
    from medkg_lab.locations import locate

    done = restore(args.backup.absolute(), locate(args.home))
    if args.json:
        print_json(asdict(done))
        return exit_codes.OK
    print_text(f"{_events(done.head)} and {done.files} files are in {done.home}")
    if done.left_out:
        print_note(f"set these again, they were left out: {', '.join(done.left_out)}")
    print_note("`medkg-lab up` starts the lab, `medkg-lab verify` proves that it is whole")
    return exit_codes.OK


def _shown(one: "Backup") -> dict[str, object]:
    manifest = one.manifest
    return {
        "path": str(one.path),
        "made_at": manifest.made_at,
        "made_by": manifest.made_by,
        "head": manifest.head,
        "files": len(manifest.files),
        "bytes": manifest.size,
        "left_out": list(manifest.left_out),
    }


def _events(head: int) -> str:
    return f"{head} events" if head >= 0 else "a stopped lab"


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f} MiB"
