"""`medkg-lab eval retrieval | entities | graph | parsing`: how good the lab's results are, on public judgements."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note, print_table, print_text

if TYPE_CHECKING:
    from medkg_lab.evaluation.measures import Figures
    from medkg_lab.evaluation.retrieval import RetrievalReport

_FIGURES = ("precision", "recall", "f1", "right", "found", "expected")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("eval", help="measure the quality of results on public judgements").add_subparsers(
        metavar="WHAT", required=True
    )
    retrieval = group.add_parser("retrieval", parents=[common], help="measure search on a test collection")
    retrieval.add_argument("--dataset", type=Path, required=True, help="a folder as BEIR publishes them, or SciFact's")
    retrieval.add_argument("--corpus", type=Path, help="the documents (default: found in the folder)")
    retrieval.add_argument("--queries", type=Path, help="the queries: JSON lines, CSV or TSV (default: found there)")
    retrieval.add_argument(
        "--qrels", type=Path, help="the judgements, as BEIR or TREC write them (default: found there)"
    )
    retrieval.add_argument(
        "--precision", choices=("fp32", "int8"), default="int8", help="how exactly the model computes (default int8)"
    )
    retrieval.set_defaults(run=_retrieval)
    entities = group.add_parser("entities", parents=[common], help="measure the linking of mentions to concepts")
    entities.add_argument("--corpus", type=Path, required=True, help="annotated abstracts in the PubTator format")
    entities.add_argument(
        "--vocabulary",
        type=Path,
        nargs="+",
        help="MeSH files, as `mesh import` takes them (default: the vocabulary that the lab uses)",
    )
    entities.add_argument(
        "--with-packages", action="store_true", help="add the entry terms of the packages in the `terms` extra"
    )
    entities.set_defaults(run=_entities)
    graph = group.add_parser("graph", parents=[common], help="measure how many of the graph's statements are right")
    graph.add_argument("path", type=Path, help="a folder of studies and articles")
    graph.add_argument("--labels", type=Path, required=True, help="labelled edges: file, relation, node, hash, 1 or 0")
    graph.add_argument(
        "--vocabulary", type=Path, nargs="+", help="MeSH files (default: the vocabulary that the lab uses)"
    )
    graph.set_defaults(run=_graph)
    parsing = group.add_parser("parsing", parents=[common], help="measure how much of a source's text is kept")
    parsing.add_argument("path", type=Path, help="a study or an article, or a folder of them")
    parsing.add_argument(
        "--pairs", action="store_true", help="compare PDFs with their articles (by PAIRS.tsv, or by the same name)"
    )
    parsing.set_defaults(run=_parsing)


def _retrieval(args: argparse.Namespace) -> int:
    from medkg_lab import settings
    from medkg_lab.evaluation import dataset, retrieval
    from medkg_lab.locations import locate

    locations = locate(args.home)
    collection = dataset.load(args.dataset, args.corpus, args.queries, args.qrels)
    chosen = settings.load(locations).search
    found = retrieval.evaluate(collection, locations.cache, chosen, print_note, precision=args.precision)
    if args.json:
        _print_report(found)
    else:
        _show_retrieval(found)
    return exit_codes.OK


def _show_retrieval(found: "RetrievalReport") -> None:
    print_text(f"{found.dataset}: {found.documents} documents, {found.queries} queries\n")
    gains = {leg: (gain.ndcg, gain.p) for leg, gain in found.fused_against.items()}
    rows = ((leg, each.ndcg, each.recall, *gains.get(leg, (None, None))) for leg, each in found.legs.items())
    print_table(("leg", "ndcg@10", "recall@100", "fused gains", "p"), rows)
    for leg, reason in found.legs_off.items():
        print_text(f"\n{leg} is off: {reason}")


def _entities(args: argparse.Namespace) -> int:
    from medkg_lab.evaluation import entities, pubtator
    from medkg_lab.locations import locate
    from medkg_lab.mesh import vocabulary_store

    folder = locate(args.home).data / vocabulary_store.FOLDER
    vocabulary = (
        vocabulary_store.of_files(args.vocabulary, args.with_packages)
        if args.vocabulary
        else vocabulary_store.in_use(folder)
    )
    found = entities.evaluate(list(pubtator.read_pubtator(args.corpus)), vocabulary, args.corpus.name)
    if args.json:
        _print_report(found)
        return exit_codes.OK
    kept = found.vocabulary
    print_text(
        f"{found.corpus}: {found.documents_read} abstracts, {found.strict.expected} mentions with an id, "
        f"{found.linkable:.1%} of them in the vocabulary\n"
        f"vocabulary {kept.version}: {kept.concepts} concepts, {kept.terms} terms\n"
    )
    compared = {"strict": found.strict, "overlapping": found.overlapping, "documents": found.documents}
    print_table(("compared by", *_FIGURES), ((name, *_figures(each)) for name, each in compared.items()))
    return exit_codes.OK


def _print_report(found: object) -> None:
    import msgspec  # here, since starting the command line loads none of it

    print_json(msgspec.to_builtins(found))


def _figures(of: "Figures") -> tuple[float, ...]:
    return (of.precision, of.recall, of.f1, of.right, of.found, of.expected)


def _graph(args: argparse.Namespace) -> int:
    from medkg_lab.evaluation import graph
    from medkg_lab.locations import locate
    from medkg_lab.mesh import vocabulary_store
    from medkg_lab.stages.chunk.options import SplitterOptions
    from medkg_lab.stages.chunk.splitter import HaystackSplitter
    from medkg_lab.stages.chunk.splitters import build_splitter
    from medkg_lab.stages.embed.weights import load_tokenizer
    from medkg_lab.stages.extract.structured import StructuredExtractor

    folder = locate(args.home).data / vocabulary_store.FOLDER
    vocabulary = vocabulary_store.of_files(args.vocabulary) if args.vocabulary else vocabulary_store.in_use(folder)
    labels = graph.read_labels(args.labels)
    options = SplitterOptions()
    split = build_splitter(options.split_by, options.split_length, options.split_overlap, options.split_threshold)
    splitter = HaystackSplitter(options, split, load_tokenizer())
    found = graph.evaluate(args.path, labels, StructuredExtractor(vocabulary), splitter)
    if args.json:
        _print_report(found)
        return exit_codes.OK
    print_text(f"{found.files} files ({found.files_missing} missing), vocabulary {found.vocabulary}\n")
    rows = ((name, one.labelled, one.made, one.right, one.precision) for name, one in found.relations.items())
    print_table(("relation", "labelled", "made", "right", "precision"), rows)
    return exit_codes.OK


def _parsing(args: argparse.Namespace) -> int:
    from medkg_lab import settings
    from medkg_lab.evaluation import parsing, pdf_reader
    from medkg_lab.locations import locate

    if args.pairs:
        convert = pdf_reader.reader(settings.load(locate(args.home)).pdf)
        measured = [parsing.of_pair(pdf, article, convert) for pdf, article in parsing.pairs_below(args.path)]
    else:
        measured = [parsing.of_file(path) for path in parsing.files_below(args.path)]
    found = parsing.report(measured)
    if args.json:
        print_json(found.to_json())
        return exit_codes.OK
    names = tuple(found.figures)
    rows = ((one.name, *map(one.figures.get, names), one.problem or None) for one in found.documents)
    print_table(("document", *names, "problem"), rows)
    print_text("")
    summary = ((name, each.median, each.min, each.documents) for name, each in found.figures.items())
    print_table(("figure", "median", "least", "documents"), summary)
    return exit_codes.OK
