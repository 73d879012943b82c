"""`medkg-lab document show` and `medkg-lab documents delete`."""

import argparse
from pathlib import Path
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.cli.files import write_files
from medkg_lab.cli.output import megabytes, print_file, print_json, print_note, print_text
from medkg_lab.errors import LabError

_FORMATS = ("md", "json", "bioc", "pubtator", "csv")


class SeveralTables(LabError):
    """This document has {count} tables, which one stream cannot hold. Name a folder with `--out`, or one by `--table`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class NoSuchTable(LabError):
    """This document has {count} tables, and none with the number {number}."""

    exit_code: ClassVar[int] = exit_codes.FAILED


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    group = commands.add_parser("document", help="read a document as the lab understood it").add_subparsers(
        metavar="ACTION", required=True
    )
    show = group.add_parser("show", parents=[common], help="print a whole document, or write it into a folder")
    show.add_argument("document", help="a document's id, or any identifier of it")
    show.add_argument(
        "--format",
        choices=_FORMATS,
        default="md",
        help="Markdown (default), JSON, BioC JSON or PubTator with the concepts found, or its tables as CSV",
    )
    show.add_argument("--table", type=int, metavar="NUMBER", help="with --format csv: only the table of this number")
    show.add_argument("--out", type=Path, help="a folder for the files (default: print)")
    show.set_defaults(run=_show)
    every = commands.add_parser("documents", help="delete documents").add_subparsers(metavar="ACTION", required=True)
    delete = every.add_parser(
        "delete", parents=[common], help="delete a document and all that was made of it, for ever"
    )
    delete.add_argument("document", help="a document's id, or any identifier of it")
    delete.add_argument("--tenant", default="default", help="whose document it is (default: default)")
    delete.add_argument("--why", default="no reason given", help="why, for the record")
    delete.set_defaults(run=_delete)


def _delete(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from medkg_lab.lab.deletion import delete
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import person

    gone = delete(Lab.at(args.home), args.document, person(), args.why, args.tenant)
    if args.json:
        print_json(asdict(gone))
        return exit_codes.OK
    print_text(f"{gone.doc_id} is deleted, with what its {gone.jobs} jobs had made ({megabytes(gone.bytes)})")
    print_text("What remains:\n" + "\n".join(f"  {one}" for one in gone.remains))
    return exit_codes.OK


def _show(args: argparse.Namespace) -> int:
    from medkg_lab.lab.document_formats import files_of
    from medkg_lab.lab.documents import parsed
    from medkg_lab.lab.facade import Lab

    found = parsed(Lab.at(args.home), args.document)
    files = files_of(found, args.format)
    if args.format == "csv" and args.table is not None:
        name = f"table-{args.table}.csv"
        if name not in files:
            raise NoSuchTable(count=len(files), number=args.table)
        files = {name: files[name]}
    if args.out is not None:
        written = write_files(files, args.out)
        if args.json:
            print_json({"files": written})
        return exit_codes.OK
    if args.json:
        print_json({"doc_id": found.document.doc_id, "format": args.format, "files": files})
    elif len(files) > 1:
        raise SeveralTables(count=len(files))
    elif not files:
        print_note("this document has no tables")
    for text in files.values() if not args.json else ():
        print_file(text)
    return exit_codes.OK
