"""`medkg-lab models add | list | remove`."""

import argparse
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note, print_table, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("models", help="bring in embedding models of your own").add_subparsers(
        metavar="ACTION", required=True
    )
    added = group.add_parser(
        "add", parents=[common], help="copy a model into the lab: an ONNX graph or BERT's weights, with tokenizer.json"
    )
    added.add_argument("folder", type=Path, metavar="DIR", help="a folder as sentence-transformers saves it")
    added.add_argument("--name", help="what to call the model (default: the folder's name)")
    added.add_argument(
        "--pooling",
        choices=("mean", "cls", "max", "last"),
        help="how the tokens' vectors become one, where the folder does not say",
    )
    added.set_defaults(run=_add)
    listed = group.add_parser("list", parents=[common], help="list the models that were added")
    listed.set_defaults(run=_list)
    removed = group.add_parser("remove", parents=[common], help="remove a model from the lab")
    removed.add_argument("name", metavar="NAME", help="the model's name")
    removed.set_defaults(run=_remove)


def _folder(args: argparse.Namespace) -> Path:
    from medkg_lab.locations import locate
    from medkg_lab.stages.embed import own_models

    return locate(args.home).data / own_models.FOLDER


def _add(args: argparse.Namespace) -> int:
    from medkg_lab.stages.embed import model_folder, own_models

    name = args.name or args.folder.resolve().name
    own_models.check_name(name)
    files = model_folder.read(args.folder, args.pooling)
    stored = own_models.add(_folder(args), name, files.settings, files.graph, files.tokenizer)
    if args.json:
        print_json(stored.to_json())
        return exit_codes.OK
    chosen = stored.settings
    print_text(
        f"{stored.model_id}: {chosen.dimension} dimensions, {chosen.max_tokens} tokens, pooling {chosen.pooling}"
    )
    print_note(f"Choose it in a profile or a stage: `implementation: onnx.encoder` with `model: {name}`.")
    return exit_codes.OK


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.stages.embed import own_models

    folder = _folder(args)
    found = [own_models.find(folder, name) for name in own_models.names(folder)]
    if args.json:
        print_json([one.to_json() for one in found])
        return exit_codes.OK
    rows = [
        (one.name, one.model_id, str(one.settings.dimension), str(one.settings.max_tokens), one.settings.pooling)
        for one in found
    ]
    print_table(("name", "model", "dimensions", "tokens", "pooling"), rows)
    return exit_codes.OK


def _remove(args: argparse.Namespace) -> int:
    from medkg_lab.stages.embed import own_models

    own_models.remove(_folder(args), args.name)
    if args.json:
        print_json({"removed": args.name})
    else:
        print_text(f"{args.name} is removed; vectors that it made can no longer be searched")
    return exit_codes.OK
