"""`python -m medkg_lab.lab.plugin_child`: a plug-in's pipeline, tried on the last documents in a process that ends with it.

It writes a line of JSON for each document to stdout, {doc_id, side, trouble}, or {error} when the pipeline cannot be used.
"""

import argparse
import json
from dataclasses import asdict
from importlib.metadata import distribution
from pathlib import Path

from medkg_lab import process
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.preview import Previewer, Side
from medkg_lab.topology.loader import load_topology


class NotLoaded(LabError):
    """{name} cannot be loaded from {where}: {detail}. Correct it, and save the file."""


def main() -> None:
    """Try the pipeline."""
    parser = argparse.ArgumentParser(prog="plugin")
    parser.add_argument("--package", required=True, help="the plug-in's package")
    parser.add_argument("--pipeline", type=Path, required=True, help="the pipeline's file")
    parser.add_argument("--last", type=int, required=True, help="how many documents")
    given, _ = process.arguments("plugin", parser)
    try:
        _load(given.package)
        _try(Lab.at(given.home), given.pipeline, given.last)
    except LabError as error:
        _print({"error": str(error)})


def _load(package: str) -> None:
    """Load what the plug-in publishes. Raises NotLoaded: the lab itself would only leave it out."""
    for point in distribution(package).entry_points:
        try:
            point.load()
        # Whatever its author's code raises on import is what the author wants to see.
        except Exception as error:
            raise NotLoaded(name=point.name, where=point.value, detail=f"{type(error).__name__}: {error}") from error


def _try(lab: Lab, pipeline: Path, last: int) -> None:
    previewer = Previewer(lab)
    version = previewer.version(load_topology(pipeline, policies=lab.catalog.policies().names))
    for job_id, document in previewer.last_documents(None, last):
        side, trouble = Side(), ""
        try:
            side = version.run(job_id, document)
        # What a plug-in under work raises is what its author wants to see, and no reason to stop.
        except Exception as error:  # noqa: BLE001
            trouble = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        _print({"doc_id": document.doc_id, "side": asdict(side), "trouble": trouble})


def _print(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    process.run("plugin", main)
