"""`medkg-lab repro`: an incident as one archive, run again without the lab it comes from, and what made the difference."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medkg_lab import exit_codes
from medkg_lab.cli.commands import repro_check, repro_search
from medkg_lab.cli.output import print_fields, print_json, print_table, print_text, say

if TYPE_CHECKING:
    from medkg_lab.repro.diff import Report
    from medkg_lab.repro.incident import Incident
    from medkg_lab.repro.runs import Run

SHOWN = 5
"""Divergences shown of each stage; `--json` has all of them."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("repro", help="reproduce an incident from one archive, offline").add_subparsers(
        metavar="ACTION", required=True
    )
    export = group.add_parser("export", parents=[common], help="write all that jobs need to be run again elsewhere")
    export.add_argument("job", nargs="+", help="a job's id, or a document's for its newest job")
    export.add_argument("--out", type=Path, required=True, help="the archive to write, such as incident.mklab")
    export.add_argument("--no-topics", action="store_true", help="leave the slices of the topics out")
    export.add_argument(
        "--redact",
        action="store_true",
        help="replace what has a known form: e-mails, phones, names in known fields and after titles, personal numbers, dates of "
        "birth, addresses, accounts, keys and paths. This is no de-identification: names in running text, ages, places and other "
        "dates stay. Read the archive before you give it away",
    )
    export.add_argument(
        "--redact-incomplete",
        action="store_true",
        help="write the archive although words such as MRN or DOB have values that no rule knows",
    )
    export.add_argument(
        "--preview", action="store_true", help="show sizes, what is missing and what is replaced, and write nothing"
    )
    export.set_defaults(run=_export)
    taken = group.add_parser("import", parents=[common], help="put an archive into an empty home, named by --home")
    taken.add_argument("archive", type=Path, help="the archive")
    taken.set_defaults(run=_import)
    group.add_parser("show", parents=[common], help="show what an imported archive holds, and its runs").set_defaults(
        run=_show
    )
    run = group.add_parser("run", parents=[common], help="run the imported incident again, without the outside")
    _add_choices(run)
    run.set_defaults(run=_run)
    diff = group.add_parser("diff", parents=[common], help="compare a run with the recorded one, or with another")
    diff.add_argument("name", nargs="?", metavar="run", help="the run's number (default: the newest), or `recorded`")
    diff.add_argument("--against", default="recorded", help="`recorded` (the default) or another run's number")
    diff.add_argument(
        "--jobs", nargs=2, metavar=("GOOD", "BAD"), help="compare two recorded jobs of one document instead"
    )
    diff.set_defaults(run=_diff)
    repro_search.add(group, common, _add_choices)
    repro_check.add(group, common)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="start", metavar="STAGE", help="answer stages before this one from the recording"
    )
    parser.add_argument("--until", metavar="STAGE", help="the last stage to run")
    parser.add_argument(
        "--live", nargs="+", action="extend", default=[], metavar="STAGE", help="stages that reach the real outside"
    )
    parser.add_argument(
        "--topology", action="append", default=[], metavar="VERSION", help="an archived version, or a file, to run on"
    )
    parser.add_argument("--policies", metavar="VERSION", help="an archived version of the policies, or a file")
    parser.add_argument(
        "--use", action="append", default=[], metavar="STAGE=NAME", help='another implementation: STAGE=NAME[:{"k": v}]'
    )


def _export(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.repro import archive, export

    gathered = export.gather(Lab.at(given.home), given.job, topics=not given.no_topics)
    made, replaced = gathered.archive, None
    unsure: Sequence[str] = ()
    if given.redact or given.redact_incomplete:
        from medkg_lab.repro.redact import RedactionUnsure, redact
        from medkg_lab.repro.settle import settle

        redaction = redact(made)
        replaced, unsure = redaction.replaced, redaction.unsure
        if unsure and not (given.redact_incomplete or given.preview):
            raise RedactionUnsure(count=len(unsure), places="; ".join(unsure[:SHOWN]))
        made = redaction.archive if given.preview else settle(made, redaction.archive)
    parts, missing = export.sizes(made), made.manifest.missing
    if not given.json:
        _tell(parts, missing, replaced if given.preview else None)
        if gathered.shared_with:
            say(f"to run the shared calls again, export these jobs too: {' '.join(gathered.shared_with)}")
        if replaced is not None:
            _warn(unsure)
    summary = {"jobs": len(made.manifest.jobs), "parts": parts, "missing": missing}
    summary |= {"shared_with": gathered.shared_with}
    if given.preview:
        if given.json:
            print_json({**summary, "replaced": replaced, "unsure": unsure})
        return exit_codes.OK
    written = archive.write(given.out, made)
    if given.json:
        print_json({**summary, "archive": str(given.out), "bytes": written})
    else:
        print_text(f"{given.out}: {len(made.manifest.jobs)} jobs, {written} bytes")
    return exit_codes.OK


def _tell(
    parts: Mapping[str, int], missing: Sequence[str], replaced: Mapping[str, list[tuple[str, str]]] | None
) -> None:
    """Show what an archive would hold, what it would not, and what redaction replaces."""
    if replaced is not None:
        print_table(("kind", "text", "becomes"), [(kind, *pair) for kind, pairs in replaced.items() for pair in pairs])
    print_table(("part", "bytes"), [*parts.items(), ("in all, unpacked", sum(parts.values()))])
    for one in missing:
        say(f"missing: {one}")


def _warn(unsure: Sequence[str]) -> None:
    """Say what redaction does not do, and where it may have missed something."""
    from medkg_lab.repro.forms import NOT_SOUGHT

    say(f"redaction is no de-identification; it does not look for {'; '.join(NOT_SOUGHT)}")
    for place in unsure:
        say(f"unsure: {place}")


def _import(given: argparse.Namespace) -> int:
    from medkg_lab.locations import locate
    from medkg_lab.repro import archive
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.of(archive.read(given.archive), locate(given.home))
    return _show_incident(given, bench.incident)


def _show(given: argparse.Namespace) -> int:
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(given.home)
    _show_incident(given, bench.incident)
    return exit_codes.OK


def _show_incident(given: argparse.Namespace, incident: "Incident") -> int:
    manifest = incident.manifest
    if given.json:
        value = manifest.model_dump(mode="json", exclude={"files"})
        print_json({"home": str(incident.locations.home), "files": len(manifest.files), **value})
        return exit_codes.OK
    print_fields(
        {
            "home": str(incident.locations.home),
            "made by": f"medkg-lab {manifest.environment.lab_version}, Python {manifest.environment.python}",
            "profile": manifest.profile,
            "device": manifest.device,
            "files": len(manifest.files),
            "redacted": "yes" if manifest.redacted else "no",
            "missing": "; ".join(manifest.missing) or None,
        }
    )
    columns = ("job", "document", "pipeline", "state", "kind", "reason")
    rows = [(one.job_id, one.doc_id, one.pipeline, one.state, one.failure_kind, one.reason) for one in manifest.jobs]
    print_table(columns, rows)
    return exit_codes.OK


def _run(given: argparse.Namespace) -> int:
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(given.home)
    run = bench.run(repro_search.choices(given, bench.incident))
    report = bench.compare(run.id)
    if given.json:
        print_json({"run": run.id, **_summary(run), "divergences": len(report.divergences), "first": _first(report)})
    else:
        print_fields({"run": run.id, **_summary(run)})
        print_text(_verdict(report))
    return exit_codes.FAILED if run.unrecorded else exit_codes.OK


def _summary(run: "Run") -> dict[str, Any]:
    from collections import Counter

    from medkg_lab.repro.runs import counted

    return {
        "jobs": dict(Counter(run.states.values())),
        "steps": dict(counted(run.steps)),
        "choices": run.choices or None,
        "breakers": len(run.breakers),
        "unrecorded": run.unrecorded or None,
        "seconds": round(run.seconds, 3),
        "virtual_seconds": round(run.virtual_seconds, 3),
    }


def _diff(given: argparse.Namespace) -> int:
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(given.home)
    report = bench.compare_jobs(*given.jobs) if given.jobs else bench.compare(given.name, given.against)
    if given.json:
        print_json(report.to_json())
    else:
        _print_report(report)
    return exit_codes.FAILED if report.divergences else exit_codes.OK


def _first(report: "Report") -> dict[str, Any] | None:
    first: dict[str, Any] | None = report.to_json()["first"]
    return first


def _verdict(report: "Report") -> str:
    if report.first is None:
        return f"no divergence from {report.a} in {report.compared} steps ({report.marked} answered from the recording)"
    return f"first divergence:\n{report.first}\n{len(report.divergences)} in all; `medkg-lab repro diff` shows them"


def _print_report(report: "Report") -> None:
    if report.first is None:
        print_text(_verdict(report))
        return
    print_text(f"first divergence: {report.first}")
    for cause in report.causes:
        print_text(f"  different: {cause}")
    for stage, found in report.by_stage().items():
        print_text(f"\n{stage}: {len(found)}")
        for one in found[:SHOWN]:
            print_text(str(one))
        if len(found) > SHOWN:
            print_text(f"  and {len(found) - SHOWN} more")
