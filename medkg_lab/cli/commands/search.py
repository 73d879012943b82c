"""`medkg-lab search`."""

import argparse
import textwrap

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_text, say


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("search", parents=[common], help="search the documents, by words and by meaning")
    parser.add_argument("query", help="what to look for")
    parser.add_argument("--limit", type=int, default=10, help="how many hits (default 10)")
    parser.add_argument("--tenant", default="default", help="whose documents")
    parser.add_argument("--source", action="append", help="only documents of this source; may be given several times")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Search and print the hits, best first."""
    from medkg_lab.lab.facade import Lab

    answer = Lab.at(given.home).knowledge.search(
        given.query, limit=given.limit, tenant=given.tenant, sources=given.source
    )
    if given.json:
        print_json(answer)
        return exit_codes.OK
    for number, hit in enumerate(answer["hits"], 1):
        ranks = ", ".join(f"{leg} #{rank}" for leg, rank in hit["ranks"].items() if rank is not None)
        print_text(f"{number}. {hit['title']}\n   {hit['doc_id']}  score {hit['score']:.4f}  ({ranks})")
        if hit.get("section"):
            print_text(f"   {' > '.join(hit['section'])}")
        print_text(
            textwrap.indent(textwrap.fill(textwrap.shorten(hit["text"], 400, placeholder=" …"), 110), "   ") + "\n"
        )
    legs = ", ".join(f"{leg} {state}" for leg, state in answer["legs"].items())
    say(f"{len(answer['hits'])} hits in {answer['ms']:.0f} ms ({legs})")
    return exit_codes.OK
