"""`medkg-lab search`."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import print_json, print_styled, print_text, say
from medkg_lab.text import sanitize

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("search", parents=[common], help="search the documents, by words and by meaning")
    parser.add_argument("query", help="what to look for")
    parser.add_argument("--limit", type=between(1, 200), default=10, help="how many hits, 200 at most (default 10)")
    parser.add_argument("--tenant", default="default", help="whose documents")
    parser.add_argument("--source", action="append", help="only documents of this source; may be given several times")
    parser.add_argument(
        "--per-document", type=between(1, 200), help="how many hits of one document at most (default 3, then the rest)"
    )
    parser.add_argument(
        "--fusion", choices=("rrf", "weighted"), help="how the legs are put together (default: settings)"
    )
    parser.add_argument("--explain", action="store_true", help="show what each leg and word adds to a hit")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Search and print the hits, best first."""
    from medkg_lab.lab.facade import Lab

    answer = Lab.at(given.home).knowledge.search(
        given.query,
        limit=given.limit,
        tenant=given.tenant,
        sources=given.source,
        per_document=given.per_document,
        fusion=given.fusion,
        explain=given.explain,
    )
    if given.json:
        print_json(answer)
        return exit_codes.OK
    if "how" in answer:
        _show_how(answer["how"])
    for number, hit in enumerate(answer["hits"], 1):
        _show_hit(number, hit)
    legs = ", ".join(f"{leg} {state}" for leg, state in answer["legs"].items())
    say(f"{len(answer['hits'])} hits in {answer['ms']:.0f} ms ({legs})")
    return exit_codes.OK


def _show_how(how: dict[str, Any]) -> None:
    stems = ", ".join(word if word == stem else f"{word} as {stem}" for word, stem in how["words"].items())
    left_out = f"; left out: {', '.join(how['left_out'])}" if how["left_out"] else ""
    print_text(f"Words: {stems or 'none'}{left_out}")
    weights = ", ".join(f"{leg} {weight:g}" for leg, weight in how["weights"].items())
    constant = f", k {how['rrf_k']}" if how["rrf_k"] is not None else ""
    boosts = ", ".join(f"{field} {boost:g}" for field, boost in how["boosts"].items())
    print_text(f"Fusion: {how['fusion']} (weights {weights}{constant}); boosts: {boosts}\n")


def _show_hit(number: int, hit: dict[str, Any]) -> None:
    ranks = ", ".join(f"{leg} #{rank}" for leg, rank in hit["ranks"].items() if rank is not None)
    print_text(f"{number}. {hit['title']}\n   {hit['chunk_id']}  score {hit['score']:.4f}  ({ranks})")
    if hit.get("section"):
        print_text(f"   {' > '.join(hit['section'])}" + (f", page {hit['page']}" if hit["page"] else ""))
    if explanation := hit.get("explanation"):
        for leg, part in explanation["parts"].items():
            if part is not None:
                print_text(f"   {leg:6} +{part:.4f}  (rank {hit['ranks'][leg]}, score {hit['scores'][leg]:.4f})")
        places = (f"{word} in {', '.join(fields)}" for word, fields in explanation["words"].items())
        print_text(f"   words: {'; '.join(places) or 'none stands in it'}")
    emphasised = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print_styled(f"   {marked(hit['snippet'], hit['marks'], emphasised)}\n\n")


def marked(text: str, marks: Sequence[Sequence[int]], emphasised: bool) -> str:
    """`text` on one line and safe for a terminal, the ranges in `marks` in bold when `emphasised`."""
    pieces: list[str] = []
    reached = 0
    for start, end in marks:
        pieces += [
            _safe(text[reached:start]),
            _BOLD if emphasised else "",
            _safe(text[start:end]),
            _PLAIN if emphasised else "",
        ]
        reached = end
    return "".join([*pieces, _safe(text[reached:])])


def _safe(text: str) -> str:
    return sanitize(text).replace("\n", " ")
