"""`medkg-lab pipeline list | show | graph | validate | diff | history`, and what `editing` adds to them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.commands import editing, preview, rehearse
from medkg_lab.cli.output import clock, print_json, print_note, print_table, print_text

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.models import Topology


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("pipeline", help="look at pipelines, check and compare them").add_subparsers(
        metavar="ACTION", required=True
    )
    group.add_parser("list", parents=[common], help="list pipelines").set_defaults(run=_list)
    show = group.add_parser("show", parents=[common], help="print a pipeline's file")
    show.add_argument("name", help="the pipeline")
    show.set_defaults(run=_show)
    graph = group.add_parser("graph", parents=[common], help="draw a pipeline")
    graph.add_argument("name", help="the pipeline")
    graph.set_defaults(run=_graph)
    validate = group.add_parser("validate", parents=[common], help="check a pipeline's file")
    validate.add_argument("file", nargs="*", type=Path, help="the files (default: every pipeline of the lab)")
    validate.set_defaults(run=_validate)
    diff = group.add_parser(
        "diff", parents=[common], help="compare a pipeline with an earlier version of it, or with a file"
    )
    diff.add_argument("name", help="the pipeline")
    diff.add_argument("other", help="a version as `history` shows it, or a file")
    diff.set_defaults(run=_diff)
    history = group.add_parser("history", parents=[common], help="list the versions that were saved or used by jobs")
    history.add_argument("name", help="the pipeline")
    history.set_defaults(run=_history)
    rehearse.add_pipeline(group, common)
    preview.add(group, common)
    editing.add(group, common)


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.versions import version_of

    catalog = Lab.at(args.home).catalog
    found = [
        {
            "name": name,
            "version": version_of(topology),
            "stages": [stage.name for stage in topology.stages],
            "sources": list(topology.applicable_sources),
            "file": str(catalog.path(name)),
        }
        for name, topology in catalog.topologies().items()
    ]
    invalid = {name: [str(problem) for problem in error.problems] for name, error in catalog.invalid().items()}
    if args.json:
        print_json({"pipelines": found, "invalid": invalid})
    else:
        rows = (
            (name, version_of(one), " → ".join(stage.name for stage in one.stages), ", ".join(one.applicable_sources))
            for name, one in catalog.topologies().items()
        )
        print_table(("pipeline", "version", "stages", "sources"), rows, widest=100)
        for name, problems in invalid.items():
            print_note("\n".join([f"{name} cannot be used:", *problems]))
    return exit_codes.FAILED if invalid else exit_codes.OK


def _show(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    catalog = Lab.at(args.home).catalog
    if args.json:
        print_json(catalog.topology(args.name).model_dump(mode="json", by_alias=True))
    else:
        print_text(catalog.path(args.name).read_text().rstrip())
    return exit_codes.OK


def _graph(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.graph import phases, segments
    from medkg_lab.topology.render import render_text

    topology = Lab.at(args.home).catalog.topology(args.name)
    if args.json:
        parts = [{"name": one.name, "stages": list(one.stages), "gate": one.gate} for one in phases(topology)]
        lanes = [
            {"lane": one.lane, "stages": list(one.stages), "gate": one.gate}
            for one in segments(topology, offline=False)
        ]
        print_json({"phases": parts, "segments": lanes})
    else:
        print_text(render_text(topology))
    return exit_codes.OK


def _validate(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.errors import Problem, TopologyInvalid
    from medkg_lab.topology.loader import load_topology
    from medkg_lab.topology.render import warnings

    catalog = Lab.at(args.home).catalog
    problems: list[Problem] = []
    valid: list[tuple[str, Topology]] = []
    if args.file:
        for path in args.file:
            try:
                valid.append((str(path), load_topology(path, policies=catalog.policies().names)))
            except TopologyInvalid as error:
                problems += error.problems
    else:
        problems += [problem for error in catalog.invalid().values() for problem in error.problems]
        valid += [(str(catalog.path(name)), topology) for name, topology in catalog.topologies().items()]
    cautions = [(file, warning) for file, topology in valid for warning in warnings(topology)]
    if args.json:
        told = [{"file": file, "message": warning} for file, warning in cautions]
        print_json({"ok": not problems, "problems": [problem.__dict__ for problem in problems], "warnings": told})
    else:
        for file, warning in cautions:
            print_note(f"{file}: warning: {warning}")
        print_text("\n".join(map(str, problems)) or "valid")
    return exit_codes.FAILED if problems else exit_codes.OK


def _diff(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.diff import diff

    lab = Lab.at(args.home)
    changes = diff(_other(lab, args.name, args.other), lab.catalog.topology(args.name))
    if args.json:
        print_json([change.__dict__ for change in changes])
    else:
        print_text("\n".join(map(str, changes)) or "no difference")
    return exit_codes.OK


def _other(lab: "Lab", name: str, other: str) -> "Topology":
    from medkg_lab.lab.definitions import NoSuchVersion
    from medkg_lab.topology import versions
    from medkg_lab.topology.loader import load_topology

    if Path(other).is_file():
        return load_topology(Path(other), policies=lab.catalog.policies().names)
    known = lab.ledger.definitions("topology", name=name, version=other)
    if not known:
        raise NoSuchVersion(version=other, name=name)
    return versions.from_json(known[0].content)


def _history(args: argparse.Namespace) -> int:
    from medkg_lab.lab.definitions import Definition, Kind, history
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    lab.catalog.path(args.name)
    rows = history(lab, Definition(Kind.PIPELINE, args.name))
    if args.json:
        print_json([row.__dict__ for row in rows])
    else:
        shown = ((one.version, "current" if one.current else "", clock(one.ts), one.summary) for one in rows)
        print_table(("version", "", "made", "what changed"), shown)
    return exit_codes.OK
