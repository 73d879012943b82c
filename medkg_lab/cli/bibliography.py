"""The documents that a search found, printed for a reference manager."""

import argparse
from collections.abc import Sequence

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_file

FORMATS = ("ris", "bibtex")


def print_bibliography(args: argparse.Namespace, doc_ids: Sequence[str]) -> int:
    """Print the documents in the format that the command names, each once."""
    from medkg_lab.lab.citations import FORMATS as WRITERS
    from medkg_lab.lab.documents import published
    from medkg_lab.lab.facade import Lab

    print_file(WRITERS[args.format](published(Lab.at(args.home), doc_ids, args.tenant)))
    return exit_codes.OK
