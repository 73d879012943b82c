"""`medkg-lab gate list | show | open | reject`."""

import argparse

from medkg_lab import exit_codes
from medkg_lab.cli.job_outputs import converted_document, show_document
from medkg_lab.cli.output import clock, print_fields, print_json, print_table, print_text, say


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("gate", help="look at gates, open or reject them").add_subparsers(
        metavar="ACTION", required=True
    )
    listed = group.add_parser("list", parents=[common], help="list gates")
    listed.add_argument(
        "--state", default=None, help="only gates in this state: waiting, open, released, rejected, failed"
    )
    listed.set_defaults(run=_list)
    show = group.add_parser("show", parents=[common], help="show one gate with its evidence and the converted text")
    show.add_argument("job", help="a job's id, or a document's for its newest job")
    show.set_defaults(run=_show)
    opened = group.add_parser("open", parents=[common], help="open a gate by hand")
    opened.add_argument("job", nargs="+", help="jobs' ids, or documents' for their newest jobs")
    opened.add_argument("--why", help="the reason, which is recorded")
    opened.add_argument("--partial", action="store_true", help="open it although pages are missing")
    opened.set_defaults(run=_open)
    reject = group.add_parser("reject", parents=[common], help="reject a gate: the job is cancelled")
    reject.add_argument("job", nargs="+", help="jobs' ids, or documents' for their newest jobs")
    reject.add_argument("--why", default="no reason given", help="the reason, which is recorded")
    reject.set_defaults(run=_reject)


def _list(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    gates = Lab.at(given.home).ledger.gates(state=given.state)
    if given.json:
        print_json(gates)
        return exit_codes.OK
    columns = ("job", "document", "gate", "state", "since", "pages", "missing", "opened by")
    rows = (
        (
            one["job_id"], one["doc_id"], one["gate"], one["state"], clock(one["waiting_since"]),
            (one["evidence"] or {}).get("pages"), (one["evidence"] or {}).get("missing_pages") or None, one["opened_by"],
        )
        for one in gates
    )  # fmt: skip
    print_table(columns, rows)
    return exit_codes.OK


def _show(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.find import find_job

    lab = Lab.at(given.home)
    job = find_job(lab, given.job)
    found = next((one for one in lab.ledger.gates() if one["job_id"] == job["job_id"]), None)
    if given.json:
        print_json(found)
    elif found is None:
        say(f"{job['doc_id']} has not come to a gate")
    else:
        print_fields(found)
        if document := converted_document(job):
            print_text("")
            show_document(lab, document)
    return exit_codes.OK if found else exit_codes.FAILED


def _open(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.find import find_job, person

    lab = Lab.at(given.home)
    opened = []
    for name in given.job:
        job = find_job(lab, name)
        lab.ledger.gate_open(job["job_id"], by=person(), why=given.why, partial=given.partial)
        opened.append(job["job_id"])
        say(f"the gate of {job['doc_id']} is open")
    if given.json:
        print_json({"ok": True, "opened": opened})
    return exit_codes.OK


def _reject(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.find import find_job, person

    lab = Lab.at(given.home)
    rejected = []
    for name in given.job:
        job = find_job(lab, name)
        lab.ledger.gate_reject(job["job_id"], by=person(), why=given.why)
        rejected.append(job["job_id"])
        say(f"the gate of {job['doc_id']} is rejected; its job is cancelled")
    if given.json:
        print_json({"ok": True, "rejected": rejected})
    return exit_codes.OK
