"""`medkg-lab search`."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.colour import is_coloured
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import print_json, print_note, print_styled, print_text
from medkg_lab.text import sanitize

if TYPE_CHECKING:
    from medkg_lab.knowledge.answers import Hit, How
from medkg_lab.cli.output import print_file

# The documents that a search found, printed for a reference manager.
FORMATS = ("ris", "bibtex")


def print_bibliography(args: argparse.Namespace, doc_ids: Sequence[str]) -> int:
    """Print the documents in the format that the command names, each once."""
    from medkg_lab.lab.citations import FORMATS as WRITERS
    from medkg_lab.lab.documents import published
    from medkg_lab.lab.facade import Lab

    print_file(WRITERS[args.format](published(Lab.at(args.home), doc_ids, args.tenant)))
    return exit_codes.OK


_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_EPILOG = """
Plain words rank: a passage need not hold all of them. Conditions on documents are "a phrase", AND, OR, NOT, a beginning (metf*),
parentheses, and fields: title: section: author: journal: year: id: doi: pmid: pmc: nct: source: phase: status: country: results:
relation:, such as author:smith or year:2018-2021. An id, an author's or a journal's name alone answers with its documents first.
Scores go from 0 to 1: how much of the query's words a passage holds, and how near it is in meaning.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    summary = "search the documents, by words and by meaning"
    parser = commands.add_parser("search", parents=[common], help=summary, description=summary, epilog=_EPILOG)
    parser.add_argument("query", help="what to look for")
    parser.add_argument("--limit", type=between(1, 200), default=10, help="how many hits, 200 at most (default 10)")
    parser.add_argument("--tenant", default="default", help="whose documents")
    parser.add_argument("--format", choices=FORMATS, help="print the documents found as a bibliography instead")
    filters = parser.add_argument_group("filters", "each may be given several times, but year and has-results")
    filters.add_argument("--source", action="append", help="only documents of this source")
    filters.add_argument("--year", help="only documents of these years, such as 2020, 2018-2021 or >=2018")
    filters.add_argument("--phase", action="append", help="only trials of this phase: 1, 2, 3, 4, early1 or na")
    filters.add_argument("--status", action="append", help="only trials of this status, such as recruiting")
    filters.add_argument("--country", action="append", help="only trials with a place in this country")
    filters.add_argument(
        "--has-results", action=argparse.BooleanOptionalAction, help="only trials with results, or without"
    )
    filters.add_argument("--section", action="append", help="only passages below a heading with these words")
    filters.add_argument("--relation", action="append", help="only documents that state this relation in the graph")
    parser.add_argument(
        "--per-document", type=between(1, 200), help="how many hits of one document at most (default 3, then the rest)"
    )
    parser.add_argument(
        "--fusion", choices=("calibrated", "rrf", "weighted"), help="how rankings are put together (default: settings)"
    )
    parser.add_argument("--reranker", help="the reranker for the best passages, or none (default: settings)")
    parser.add_argument("--plain", action="store_true", help="take the query as text, without operators and fields")
    parser.add_argument("--explain", action="store_true", help="show what each retriever and word adds to a hit")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search and print the hits, best first."""
    import msgspec

    from medkg_lab.lab.facade import Lab

    answer = Lab.at(args.home).knowledge.search(
        args.query,
        limit=args.limit,
        tenant=args.tenant,
        sources=args.source,
        filters=_filters(args),
        per_document=args.per_document,
        fusion=args.fusion,
        reranker=args.reranker,
        explain=args.explain,
        is_plain=args.plain,
    )
    if args.format is not None:
        return print_bibliography(args, [hit.doc_id for hit in answer.hits])
    if args.json:
        print_json(msgspec.to_builtins(answer))
        return exit_codes.OK
    for note in answer.notes:
        print_text(f"Note: {note}.\n")
    if answer.how is not None:
        _show_how(answer.how)
    for number, hit in enumerate(answer.hits, 1):
        _show_hit(number, hit)
    legs = ", ".join(f"{name} {state}" for name, state in answer.legs.items())
    count = f"{len(answer.hits)} hits" if answer.hits else "Nothing found"
    print_note(f"{count} in {answer.ms:.0f} ms ({legs})")
    return exit_codes.OK


def _filters(args: argparse.Namespace) -> dict[str, object] | None:
    names = ("year", "phase", "status", "country", "has_results", "section", "relation")
    return {name: value for name in names if (value := getattr(args, name)) is not None} or None


def _show_how(how: "How") -> None:
    stems = ", ".join(word if word == stem else f"{word} as {stem}" for word, stem in how.words.items())
    skipped = f"; skipped: {', '.join(how.skipped)}" if how.skipped else ""
    print_text(f"Words: {stems or 'none'}{skipped}")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in how.weights.items())
    constant = f", k {how.rrf_k}" if how.rrf_k is not None else ""
    boosts = ", ".join(f"{field} {boost:g}" for field, boost in how.boosts.items())
    reranker = f"; reranker: {how.reranker}" if how.reranker else ""
    print_text(f"Fusion: {how.fusion} (weights {weights}{constant}); boosts: {boosts}; floor {how.floor:g}{reranker}\n")


def _show_hit(number: int, hit: "Hit") -> None:
    marks = [*hit.notes, *(f"also here as {one.what}: {one.doc_id}" for one in hit.same_work)]
    ranks = ", ".join(f"{name} #{rank}" for name, rank in hit.ranks.items() if rank is not None)
    why = ", ".join(filter(None, (f"by {hit.matched}" if hit.matched else "", ranks)))
    print_text(f"{number}. {hit.title}\n   {hit.chunk_id}  score {hit.score:.2f}  ({why})")
    if marks:
        print_text(f"   [{'; '.join(marks)}]")
    if hit.section:
        print_text(f"   {' > '.join(hit.section)}" + (f", page {hit.page}" if hit.page else ""))
    if (explanation := hit.explanation) is not None:
        for name, part in explanation.parts.items():
            if part is not None:
                rank = f"rank {hit.ranks[name]}, score {hit.scores[name]:.4f}" if hit.ranks[name] else "not ranked"
                print_text(f"   {name:6} +{part:.4f}  ({rank})")
        if abs(explanation.factor - 1) > 1e-9:
            print_text(f"   factor {explanation.factor:.2f}")
        places = (f"{word} in {', '.join(fields)}" for word, fields in explanation.words.items())
        print_text(f"   words: {'; '.join(places) or 'none stands in it'}")
    emphasised = is_coloured(sys.stdout)
    print_styled(f"   {marked(hit.snippet, hit.marks, emphasised)}\n\n")


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
