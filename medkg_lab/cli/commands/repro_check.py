"""`medkg-lab repro verify | assemble`: archives as test cases, and archives of what another system left behind."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_text, say

if TYPE_CHECKING:
    from medkg_lab.repro.junit import Verdict


def add(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
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


def _verify(given: argparse.Namespace) -> int:
    from medkg_lab.repro import junit

    verdicts = junit.verify(given.archive, (lambda _: None) if given.json else _tell)
    if given.junit:
        given.junit.write_text(junit.xml(verdicts))
    ok = all(one.ok for one in verdicts)
    if given.json:
        print_json({"ok": ok, "archives": [vars(one) | {"ok": one.ok} for one in verdicts]})
    return exit_codes.OK if ok else exit_codes.FAILED


def _tell(verdict: "Verdict") -> None:
    if verdict.ok:
        print_text(f"{verdict.name}: as recorded, {verdict.steps} steps in {verdict.seconds:.1f} s")
    else:
        say(f"{verdict.name}: {verdict.error or verdict.failure}")


def _assemble(given: argparse.Namespace) -> int:
    from medkg_lab.repro import archive
    from medkg_lab.repro.assemble import Parts, assemble

    parts = Parts(given.entry, given.events, given.topology, given.payload, given.converted, given.policies)
    made = assemble(parts)
    written = archive.write(given.out, made)
    job = made.manifest.jobs[0]
    if given.json:
        summary = {"archive": str(given.out), "bytes": written, "job": job.model_dump(mode="json")}
        print_json({**summary, "missing": made.manifest.missing})
        return exit_codes.OK
    print_text(f"{given.out}: job {job.job_id} of {job.pipeline}, {job.state}, {written} bytes")
    for missing in made.manifest.missing:
        say(f"missing: {missing}")
    return exit_codes.OK
