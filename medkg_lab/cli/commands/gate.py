"""`medkg-lab gate list | show | open | reject | set`."""

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from medkg_lab import exit_codes
from medkg_lab.cli.commands.jobs import JOB
from medkg_lab.cli.job_outputs import converted_document, show_document
from medkg_lab.cli.output import clock, print_fields, print_json, print_note, print_table, print_text
from medkg_lab.errors import LabError

if TYPE_CHECKING:
    from medkg_lab.ledger.answers import GateRow

_TIMES = ("waiting_since", "opened_at")
STATES = ("waiting", "open", "released", "rejected", "failed")
JOBS = "jobs' ids or their beginnings, or documents' ids or keys for their newest jobs"


class FieldUnclear(LabError):
    """{given!r} is not a field with its value. Write it as FIELD=VALUE, such as reviewed=true."""

    exit_code: ClassVar[int] = exit_codes.USAGE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("gate", help="look at gates, open or reject them").add_subparsers(
        metavar="ACTION", required=True
    )
    listed = group.add_parser("list", parents=[common], help="list gates")
    listed.add_argument("--state", choices=STATES, help="only gates in this state")
    listed.set_defaults(run=_list)
    show = group.add_parser("show", parents=[common], help="show one gate with its evidence and the converted text")
    show.add_argument("job", help=JOB)
    show.set_defaults(run=_show)
    opened = group.add_parser("open", parents=[common], help="open a gate by hand")
    opened.add_argument("job", nargs="+", help=JOBS)
    opened.add_argument("--why", help="the reason, which is recorded")
    opened.add_argument("--partial", action="store_true", help="open it although pages are missing")
    opened.set_defaults(run=_open)
    reject = group.add_parser("reject", parents=[common], help="reject a gate: the job is cancelled")
    reject.add_argument("job", nargs="+", help=JOBS)
    reject.add_argument("--why", default="no reason given", help="the reason, which is recorded")
    reject.set_defaults(run=_reject)
    field = group.add_parser(
        "set", parents=[common], help="set a field of a job, which may open the gate that waits for it"
    )
    field.add_argument("job", help=JOB)
    field.add_argument("field", metavar="FIELD=VALUE", help="such as reviewed=true; a value is JSON, or else text")
    field.set_defaults(run=_set)


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    gates = Lab.at(args.home).ledger.gates(state=args.state)
    if args.json:
        print_json(to_json(gates))
        return exit_codes.OK
    columns = ("job", "document", "gate", "state", "since", "pages", "missing", "opened by")
    rows = (
        (
            one.job_id, one.doc_id, one.gate, one.state, clock(one.waiting_since),
            one.evidence.pages, list(one.evidence.missing_pages) or None, one.opened_by,
        )
        for one in gates
    )  # fmt: skip
    print_table(columns, rows)
    return exit_codes.OK


def _show(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job
    from medkg_lab.ledger.answers import to_json

    lab = Lab.at(args.home)
    job = find_job(lab, args.job)
    found = next((one for one in lab.ledger.gates() if one.job_id == job.job_id), None)
    if args.json:
        print_json(to_json(found))
    elif found is None:
        print_note(f"{job.doc_id} has not come to a gate")
    else:
        print_fields(fields_of(found))
        if document := converted_document(job):
            print_text("")
            show_document(lab, document)
    return exit_codes.OK if found else exit_codes.FAILED


def fields_of(gate: "GateRow") -> Mapping[str, object]:
    """A gate as it is printed: its moments as people write them."""
    from medkg_lab.ledger.answers import to_json

    return {name: clock(value) if name in _TIMES else value for name, value in to_json(gate).items()}


def _open(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job, person

    lab = Lab.at(args.home)
    opened = []
    for name in args.job:
        job = find_job(lab, name)
        lab.ledger.gate_open(job.job_id, by=person(), why=args.why, partial=args.partial)
        opened.append(job.job_id)
        print_note(f"the gate of {job.doc_id} is open")
    if args.json:
        print_json({"ok": True, "opened": opened})
    return exit_codes.OK


def _reject(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job, person

    lab = Lab.at(args.home)
    rejected = []
    for name in args.job:
        job = find_job(lab, name)
        lab.ledger.gate_reject(job.job_id, by=person(), why=args.why)
        rejected.append(job.job_id)
        print_note(f"the gate of {job.doc_id} is rejected; its job is cancelled")
    if args.json:
        print_json({"ok": True, "rejected": rejected})
    return exit_codes.OK


def _set(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_job, person

    field, value = parse_field(args.field)
    lab = Lab.at(args.home)
    job = find_job(lab, args.job)
    opened = lab.ledger.set_field(job.job_id, field, value, by=person()).opened
    if args.json:
        print_json({"ok": True, "job_id": job.job_id, "field": field, "value": value, "opened": opened})
    else:
        print_note(f"{field} of {job.doc_id} is {json.dumps(value)}" + ("; its gate is open" if opened else ""))
    return exit_codes.OK


def parse_field(written: str) -> tuple[str, Any]:
    """`reviewed=true` as ("reviewed", True): a value is JSON, or else text. Raises FieldUnclear."""
    field, equals, text = written.partition("=")
    if not equals or not field.isidentifier():
        raise FieldUnclear(given=written)
    try:
        return field, json.loads(text)
    except ValueError:
        return field, text
