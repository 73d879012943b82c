"""`medkg-lab graph node | path | why | export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from medkg_lab import exit_codes
from medkg_lab.cli.files import write_files
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import print_file, print_json, print_note, print_table, print_text
from medkg_lab.errors import LabError
from medkg_lab.knowledge.formats import FORMATS

if TYPE_CHECKING:
    from medkg_lab.knowledge.answers import PathEdge, Statement

_EXPORT_S = 300.0
_MOST = 1_000_000


class SeveralFiles(LabError):
    """This format is more than one file ({names}), which one stream cannot hold. Name a folder for them with `--out`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("graph", help="ask the knowledge graph").add_subparsers(metavar="ACTION", required=True)
    node = group.add_parser("node", parents=[common], help="show a node and its neighbours")
    node.add_argument("node", help="a node's id or name")
    node.add_argument("--limit", type=between(1, _MOST), default=50, help="how many neighbours (default 50)")
    node.set_defaults(run=_node)
    path = group.add_parser("path", parents=[common], help="find a path between two nodes")
    path.add_argument("source", help="a node's id or name")
    path.add_argument("target", help="a node's id or name")
    path.add_argument("--hops", type=between(0, 8), default=4, help="how many steps at most, up to 8 (default 4)")
    path.set_defaults(run=_path)
    why = group.add_parser("why", parents=[common], help="show which documents connect two nodes")
    why.add_argument("source", help="a node's id or name")
    why.add_argument("target", help="a node's id or name")
    why.set_defaults(run=_why)
    for one in (node, path, why):
        one.add_argument("--tenant", default="default", help="whose graph")
    export = group.add_parser("export", parents=[common], help="export the graph with provenance")
    export.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="lines",
        help="JSON lines (default), GraphML, CSV for Neo4j, JSON-LD",
    )
    export.add_argument("--out", type=Path, help="a folder for the files (default: print; Neo4j's two files need it)")
    export.add_argument(
        "--limit", type=between(1, _MOST), default=_MOST, help="how many nodes and edges at most (default 1,000,000)"
    )
    export.add_argument("--tenant", default="default", help="whose graph")
    export.set_defaults(run=_export)


def _node(args: argparse.Namespace) -> int:
    from msgspec import to_builtins

    from medkg_lab.lab import graph
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_node

    lab = Lab.at(args.home)
    found = lab.knowledge.neighbours(find_node(lab, args.node), limit=args.limit, tenant=args.tenant)
    if args.json:
        print_json(to_builtins(found))
        return exit_codes.OK
    around = graph.read_around(found, args.limit)
    contradicted = graph.contradicting(around.edges)
    print_text(f"{around.node.name}  ({around.node.kind}, {around.node.node_id})\n")
    print_table(
        ("relation", "node", "name", "said", "documents"),
        (
            (
                f"-{edge.relation}->" if edge.direction == "out" else f"<-{edge.relation}-",
                edge.node_id,
                edge.name,
                graph.how_sure(edge.relation) + (" (contradicted)" if edge in contradicted else ""),
                edge.documents,
            )
            for edge in around.edges
        ),
    )
    return exit_codes.OK


def _path(args: argparse.Namespace) -> int:
    from msgspec import to_builtins

    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_node

    lab = Lab.at(args.home)
    source, target = find_node(lab, args.source), find_node(lab, args.target)
    found = lab.knowledge.path(source, target, max_hops=args.hops, tenant=args.tenant)
    if args.json:
        print_json(to_builtins(found))
    elif found.hops is None:
        print_text(f"no path of at most {args.hops} steps")
    else:
        rows = ((*_edge(one), ", ".join(one.documents)) for one in found.edges)
        print_table(("from", "relation", "to", "documents"), rows)
    return exit_codes.OK


def _why(args: argparse.Namespace) -> int:
    from msgspec import to_builtins

    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.lookup import find_node

    lab = Lab.at(args.home)
    source, target = find_node(lab, args.source), find_node(lab, args.target)
    found = lab.knowledge.why(source, target, tenant=args.tenant)
    if args.json:
        print_json(to_builtins(found))
        return exit_codes.OK
    columns = ("document", "chunk", "from", "relation", "to", "rule", "evidence")
    rows = ((one.doc_id, one.chunk_id, *_edge(one), one.rule or None, one.evidence) for one in found.statements)
    print_table(columns, rows)
    together = found.mentioned_together
    print_text(f"\n{len(together)} passages mention both{':' if together else '.'}")
    for one in together:
        print_text(f"  {one.chunk_id}  {one.title}")
    return exit_codes.OK


def _edge(one: "PathEdge | Statement") -> tuple[Any, ...]:
    return one.source, one.relation, one.target


def _export(args: argparse.Namespace) -> int:
    from msgspec import to_builtins

    from medkg_lab.lab.facade import Lab

    exported = Lab.at(args.home, _EXPORT_S).knowledge.graph_export(args.limit, args.tenant)
    files = {} if args.json and args.out is None else FORMATS[args.format](exported)
    if args.out is not None:
        written = write_files(files, args.out)
        if args.json:
            print_json({"files": written, "truncated": exported.truncated})
    elif args.json:
        print_json(to_builtins(exported))
    elif len(files) > 1:
        raise SeveralFiles(names=" and ".join(files))
    else:
        for text in files.values():
            print_file(text)
    if exported.truncated:
        print_note(f"there is more: only {args.limit} nodes and edges were exported; raise --limit")
    return exit_codes.FAILED if exported.truncated else exit_codes.OK
