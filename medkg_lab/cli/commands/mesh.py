"""`medkg-lab mesh import | list`."""

import argparse
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note, print_table, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("mesh", help="choose the vocabulary that texts are searched for").add_subparsers(
        metavar="ACTION", required=True
    )
    imported = group.add_parser(
        "import",
        parents=[common],
        help="import MeSH (descriptors, supplementary records, N-Triples, tables) and names from annotated abstracts (PubTator)",
    )
    imported.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files that are taken together, .gz too")
    imported.add_argument(
        "--with-packages", action="store_true", help="add the entry terms of the packages in the `terms` extra"
    )
    imported.set_defaults(run=_import)
    listed = group.add_parser("list", parents=[common], help="list the vocabularies that the lab has")
    listed.set_defaults(run=_list)


def _import(args: argparse.Namespace) -> int:
    from collections import Counter

    from medkg_lab.locations import locate
    from medkg_lab.mesh import reading, vocabulary_store

    concepts = reading.read(args.files, args.with_packages)
    version = vocabulary_store.save(locate(args.home).data / vocabulary_store.FOLDER, concepts)
    kinds = Counter(concept.kind for concept in concepts)
    terms = sum(len(one.terms) for one in concepts)
    print_note(
        "Documents processed from now on are searched for it once the engine starts anew: `medkg-lab restart engine-compute`."
    )
    if args.json:
        print_json({"version": version, "concepts": len(concepts), "terms": terms, "kinds": dict(kinds)})
        return exit_codes.OK
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    print_text(f"vocabulary {version}: {len(concepts)} concepts ({named}), {terms} terms")
    return exit_codes.OK


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.locations import locate
    from medkg_lab.mesh import vocabulary_store

    folder = locate(args.home).data / vocabulary_store.FOLDER
    current = vocabulary_store.current(folder)
    versions = vocabulary_store.versions(folder)
    if args.json:
        print_json([{"version": version, "current": version == current} for version in versions])
    else:
        print_table(("version", "current"), ((version, "yes" if version == current else "") for version in versions))
    return exit_codes.OK
