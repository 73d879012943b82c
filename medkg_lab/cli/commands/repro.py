"""`medkg-lab repro`: an incident as one archive, run again without the lab it comes from, and what made the difference."""

import argparse
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_fields, print_json, print_note, print_table, print_text
from medkg_lab.cli.streams import standard_input

if TYPE_CHECKING:
    from medkg_lab.repro.bisect import Candidate, Finding
    from medkg_lab.repro.diff import Report
    from medkg_lab.repro.incident import Incident
    from medkg_lab.repro.junit import Verdict
    from medkg_lab.repro.overrides import ReplayOverrides
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
        "birth, addresses, accounts, keys and paths. This is not de-identification: names in running text, ages, places and "
        "other dates stay. Read the archive before you give it away",
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
    run = group.add_parser("run", parents=[common], help="replay the imported incident offline")
    _add_choices(run)
    run.set_defaults(run=_run)
    diff = group.add_parser("diff", parents=[common], help="compare a run with the recorded one, or with another")
    diff.add_argument("name", nargs="?", metavar="run", help="the run's number (default: the newest), or `recorded`")
    diff.add_argument("--against", default="recorded", help="`recorded` (the default) or another run's number")
    diff.add_argument(
        "--jobs", nargs=2, metavar=("GOOD", "BAD"), help="compare two recorded jobs of one document instead"
    )
    diff.set_defaults(run=_diff)
    _add_search(group, common)
    _add_cases(group, common)


def _add_search(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    bisect = group.add_parser("bisect", parents=[common], help="find the change after which runs are different")
    bisect.add_argument("over", choices=("topology", "policies", "implementation"), help="what may have changed")
    bisect.add_argument(
        "version",
        nargs="*",
        help="archived versions or files, oldest first (default: all that the archive has); for implementations STAGE=NAME",
    )
    bisect.add_argument("--pipeline", help="whose topology, where the archive has versions of several")
    bisect.add_argument(
        "--from", dest="start", metavar="STAGE", help="answer stages before this one from the recording"
    )
    bisect.add_argument("--until", metavar="STAGE", help="the last stage to run")
    bisect.set_defaults(run=_bisect)
    step = group.add_parser("step", parents=[common], help="run the incident piece by piece; commands come from stdin")
    step.add_argument("--before", action="append", default=[], metavar="STAGE", help="stop before this stage")
    step.add_argument("--after", action="append", default=[], metavar="STAGE", help="stop after this stage")
    _add_choices(step)
    step.set_defaults(run=_step)


def _add_cases(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    verify = group.add_parser("verify", parents=[common], help="run archives and fail where one diverges, for CI")
    verify.add_argument("archive", nargs="+", type=Path, help="the archives")
    verify.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report")
    verify.set_defaults(run=_verify)
    made = group.add_parser("assemble", parents=[common], help="make an archive of what another system left of a job")
    made.add_argument("--out", type=Path, required=True, help="the archive to write")
    made.add_argument("--entry", type=Path, help="the job's entry in its ledger, as JSON")
    made.add_argument(
        "--events",
        type=Path,
        action="append",
        default=[],
        help="CloudEvents as JSON lines, or a topic's records as such",
    )
    made.add_argument("--topology", type=Path, help="the pipeline's YAML")
    made.add_argument("--policies", type=Path, help="the resilience policies' YAML")
    made.add_argument("--payload", type=Path, help="the document's bytes as its source gave them")
    made.add_argument(
        "--converted", type=Path, metavar="FOLDER", help="what MinerU made of the PDF, in any of its formats"
    )
    made.set_defaults(run=_assemble)


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


def _export(args: argparse.Namespace) -> int:
    from medkg_lab.lab import acts
    from medkg_lab.lab.facade import Lab
    from medkg_lab.repro import archive, export

    lab = Lab.at(args.home)
    gathered = export.gather(lab, args.job, topics=not args.no_topics)
    made, replaced = gathered.archive, None
    unsure: Sequence[str] = ()
    if args.redact or args.redact_incomplete:
        from medkg_lab.repro.redact import RedactionUnsure, redact
        from medkg_lab.repro.rerecord import rerecord

        redaction = redact(made)
        replaced, unsure = redaction.replaced, redaction.unsure
        if unsure and not (args.redact_incomplete or args.preview):
            raise RedactionUnsure(count=len(unsure), places="; ".join(unsure[:SHOWN]))
        made = redaction.archive if args.preview else rerecord(made, redaction.archive)
    parts, missing = export.sizes(made), made.manifest.missing
    if not args.json:
        _print_parts(parts, missing, replaced if args.preview else None)
        if gathered.shared_with:
            print_note(f"to run the shared calls again, export these jobs too: {' '.join(gathered.shared_with)}")
        if replaced is not None:
            _print_limits(unsure)
    summary = {"jobs": len(made.manifest.jobs), "parts": parts, "missing": missing}
    summary |= {"shared_with": gathered.shared_with}
    if args.preview:
        if args.json:
            print_json({**summary, "replaced": replaced, "unsure": unsure})
        return exit_codes.OK
    written = archive.write(args.out, made)
    redacted = "" if replaced is None else "redacted"
    acts.note(lab, acts.EXPORTED, args.out.name, after=" ".join(one.job_id for one in made.manifest.jobs), why=redacted)
    if args.json:
        print_json({**summary, "archive": str(args.out), "bytes": written})
    else:
        number = len(made.manifest.jobs)
        print_text(f"{args.out}: {number} job{'' if number == 1 else 's'}, {written} bytes")
    return exit_codes.OK


def _print_parts(
    parts: Mapping[str, int], missing: Sequence[str], replaced: Mapping[str, list[tuple[str, str]]] | None
) -> None:
    """Show what an archive would hold, what it would not, and what redaction replaces."""
    if replaced is not None:
        print_table(("kind", "text", "becomes"), [(kind, *pair) for kind, pairs in replaced.items() for pair in pairs])
    print_table(("part", "bytes"), [*parts.items(), ("in all, unpacked", sum(parts.values()))])
    for one in missing:
        print_note(f"missing: {one}")


def _print_limits(unsure: Sequence[str]) -> None:
    """Say what redaction does not do, and where it may have missed something."""
    from medkg_lab.repro.redaction_patterns import NOT_SOUGHT

    print_note(f"redaction is not de-identification; it does not look for {'; '.join(NOT_SOUGHT)}")
    for place in unsure:
        print_note(f"unsure: {place}")


def _import(args: argparse.Namespace) -> int:
    from medkg_lab.lab import acts
    from medkg_lab.lab.facade import Lab
    from medkg_lab.locations import locate
    from medkg_lab.repro import archive
    from medkg_lab.repro.workbench import Workbench

    locations = locate(args.home)
    bench = Workbench.of(archive.read(args.archive), locations)
    jobs = [one.job_id for one in bench.incident.manifest.jobs]
    acts.note(Lab(locations), acts.IMPORTED, args.archive.name, after=" ".join(jobs))
    return _show_incident(args, bench.incident)


def _show(args: argparse.Namespace) -> int:
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(args.home)
    _show_incident(args, bench.incident)
    return exit_codes.OK


def _show_incident(args: argparse.Namespace, incident: "Incident") -> int:
    manifest = incident.manifest
    if args.json:
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
            "models": "; ".join(one.model for one in manifest.models) or None,
        }
    )
    _print_models(incident)
    columns = ("job", "document", "pipeline", "state", "kind", "reason")
    rows = [(one.job_id, one.doc_id, one.pipeline, one.state, one.failure_kind, one.reason) for one in manifest.jobs]
    print_table(columns, rows)
    return exit_codes.OK


def _print_models(incident: "Incident") -> None:
    """What is to be brought along, and what happens without it."""
    for one in incident.models_to_bring():
        hashes = ", ".join(f"{file} {sha256[:12]}" for file, sha256 in one.sha256.items())
        print_note(
            f"The model {one.model} is not here{f' (sha256: {hashes})' if hashes else ''}; what it computed is taken from the "
            f"recording. `medkg-lab models add DIR --name {one.name} --home {incident.locations.home}` brings it."
        )


def _run(args: argparse.Namespace) -> int:
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(args.home)
    _print_models(bench.incident)
    run = bench.run(_choices(args, bench.incident))
    report = bench.compare(run.id)
    if args.json:
        print_json({"run": run.id, **_summary(run), "divergences": len(report.divergences), "first": _first(report)})
    else:
        print_fields({"run": run.id, **_summary(run)})
        print_text(_verdict(report))
    return exit_codes.FAILED if run.unrecorded else exit_codes.OK


def _summary(run: "Run") -> Mapping[str, object]:
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


def _diff(args: argparse.Namespace) -> int:
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(args.home)
    report = bench.compare_jobs(*args.jobs) if args.jobs else bench.compare(args.name, args.against)
    if args.json:
        print_json(report.to_json())
    else:
        _print_report(report)
    return exit_codes.FAILED if report.divergences else exit_codes.OK


def _first(report: "Report") -> Mapping[str, object] | None:
    return asdict(report.first) if report.first else None


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


def _choices(args: argparse.Namespace, incident: "Incident") -> "ReplayOverrides":
    """What the options of a run choose."""
    from medkg_lab.repro.overrides import ReplayOverrides, parse_use
    from medkg_lab.repro.versions import policies, topologies

    return ReplayOverrides(
        start=args.start,
        until=args.until,
        live=frozenset(args.live),
        topologies=topologies(incident, args.topology),
        policies=policies(incident, args.policies) if args.policies else None,
        uses=tuple(parse_use(text) for text in args.use),
    )


def _bisect(args: argparse.Namespace) -> int:
    from medkg_lab.repro import bisect
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(args.home)
    finding = bisect.bisect(bench, _candidates(args, bench.incident))
    if args.json:
        print_json(finding.to_json())
    else:
        _print_finding(finding)
    return exit_codes.FAILED if finding.after is not None else exit_codes.OK


def _candidates(args: argparse.Namespace, incident: "Incident") -> "list[Candidate]":
    from medkg_lab.repro import bisect, versions
    from medkg_lab.repro.overrides import ReplayOverrides, parse_use

    base = partial(ReplayOverrides, start=args.start, until=args.until)
    if args.over == "implementation":
        return bisect.of_uses([parse_use(text) for text in args.version], base)
    if args.over == "policies":
        named = args.version or [one.version for one in incident.versions("policies")]
        return bisect.of_policies([versions.policies(incident, one) for one in named], base)
    known = incident.versions("topology", args.pipeline)
    most = max((one.name for one in known), key=[one.name for one in known].count, default=None)
    named = args.version or [one.version for one in known if one.name == most]
    return bisect.of_topologies([versions.topology(incident, one) for one in named], base)


def _print_finding(finding: "Finding") -> None:
    columns = ("version", "run", "differences from the oldest", "from what was recorded")
    print_table(columns, [(one.name, one.run, one.from_oldest, one.from_recorded) for one in finding.tried])
    if finding.after is None:
        print_text("no version makes a difference")
        return
    print_text(f"\nthe change is between {finding.before} and {finding.after}:")
    for change in finding.changes:
        print_text(f"  {change}")
    print_text(f"first divergence: {finding.first}")


def _step(args: argparse.Namespace) -> int:
    from medkg_lab.repro.stepping import HELP, Stepper
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(args.home)
    stops = {f"before {stage}" for stage in args.before} | {f"after {stage}" for stage in args.after}
    lines = io.TextIOWrapper(standard_input(), encoding="utf-8", errors="replace")
    if lines.isatty():
        print_text(HELP)
    run = Stepper(bench, iter(lines), print_text, stops).run(_choices(args, bench.incident))
    if args.json:
        print_json({"run": run.id, "jobs": run.states, "steps": len(run.steps)})
    else:
        print_fields({"run": run.id, "steps": len(run.steps)})
    return exit_codes.OK


def _verify(args: argparse.Namespace) -> int:
    from medkg_lab.repro import junit

    verdicts = junit.verify(args.archive, (lambda _: None) if args.json else _print_verdict)
    if args.junit:
        args.junit.write_text(junit.xml(verdicts))
    ok = all(one.ok for one in verdicts)
    if args.json:
        print_json({"ok": ok, "archives": [vars(one) | {"ok": one.ok} for one in verdicts]})
    return exit_codes.OK if ok else exit_codes.FAILED


def _print_verdict(verdict: "Verdict") -> None:
    if verdict.ok:
        print_text(f"{verdict.name}: as recorded, {verdict.steps} steps in {verdict.seconds:.1f} s")
    else:
        print_note(f"{verdict.name}: {verdict.error or verdict.failure}")


def _assemble(args: argparse.Namespace) -> int:
    from medkg_lab.repro import archive
    from medkg_lab.repro.assemble import Parts, assemble

    parts = Parts(args.entry, args.events, args.topology, args.payload, args.converted, args.policies)
    made = assemble(parts)
    written = archive.write(args.out, made)
    job = made.manifest.jobs[0]
    if args.json:
        summary = {"archive": str(args.out), "bytes": written, "job": job.model_dump(mode="json")}
        print_json({**summary, "missing": made.manifest.missing})
        return exit_codes.OK
    print_text(f"{args.out}: job {job.job_id} of {job.pipeline}, {job.state}, {written} bytes")
    for missing in made.manifest.missing:
        print_note(f"missing: {missing}")
    return exit_codes.OK
