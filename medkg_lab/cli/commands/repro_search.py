"""`medkg-lab repro bisect | step`: looking for the change that made the difference, and looking on while an incident runs."""

import argparse
import io
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_fields, print_json, print_table, print_text
from medkg_lab.cli.streams import standard_input

if TYPE_CHECKING:
    from medkg_lab.repro.bisect import Candidate, Finding
    from medkg_lab.repro.choices import Choices
    from medkg_lab.repro.incident import Incident

AddChoices = Callable[[argparse.ArgumentParser], None]


def add(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]",
    common: argparse.ArgumentParser,
    add_choices: AddChoices,
) -> None:
    """Add the commands."""
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
    add_choices(step)
    step.set_defaults(run=_step)


def choices(given: argparse.Namespace, incident: "Incident") -> "Choices":
    """What the options of a run choose."""
    from medkg_lab.repro.choices import Choices, parse_use
    from medkg_lab.repro.versions import policies, topologies

    return Choices(
        start=given.start,
        until=given.until,
        live=frozenset(given.live),
        topologies=topologies(incident, given.topology),
        policies=policies(incident, given.policies) if given.policies else None,
        uses=tuple(parse_use(text) for text in given.use),
    )


def _bisect(given: argparse.Namespace) -> int:
    from medkg_lab.repro import bisect
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(given.home)
    finding = bisect.bisect(bench, _candidates(given, bench.incident))
    if given.json:
        print_json(finding.to_json())
    else:
        _print_finding(finding)
    return exit_codes.FAILED if finding.after is not None else exit_codes.OK


def _candidates(given: argparse.Namespace, incident: "Incident") -> "list[Candidate]":
    from medkg_lab.repro import bisect, versions
    from medkg_lab.repro.choices import Choices, parse_use

    base = partial(Choices, start=given.start, until=given.until)
    if given.over == "implementation":
        return bisect.of_uses([parse_use(text) for text in given.version], base)
    if given.over == "policies":
        named = given.version or [one.version for one in incident.versions("policies")]
        return bisect.of_policies([versions.policies(incident, one) for one in named], base)
    known = incident.versions("topology", given.pipeline)
    most = max((one.name for one in known), key=[one.name for one in known].count, default=None)
    named = given.version or [one.version for one in known if one.name == most]
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


def _step(given: argparse.Namespace) -> int:
    from medkg_lab.repro.stepping import HELP, Stepper
    from medkg_lab.repro.workbench import Workbench

    bench = Workbench.at(given.home)
    stops = {f"before {stage}" for stage in given.before} | {f"after {stage}" for stage in given.after}
    lines = io.TextIOWrapper(standard_input(), encoding="utf-8", errors="replace")
    if lines.isatty():
        print_text(HELP)
    run = Stepper(bench, iter(lines), print_text, stops).run(choices(given, bench.incident))
    if given.json:
        print_json({"run": run.id, "jobs": run.states, "steps": len(run.steps)})
    else:
        print_fields({"run": run.id, "steps": len(run.steps)})
    return exit_codes.OK
