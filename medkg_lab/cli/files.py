"""Writing what a command gives out into a folder of the user's."""

import os
from collections.abc import Mapping
from pathlib import Path

from medkg_lab.cli.output import print_note


def write_files(files: Mapping[str, str], folder: Path) -> list[str]:
    """Write the files into `folder`, each whole or not at all, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        unfinished = folder / f".{name}.{os.getpid()}"
        try:
            unfinished.write_text(text, encoding="utf-8", errors="replace", newline="")
            unfinished.replace(folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
        print_note(f"{folder / name}")
    return [str(folder / name) for name in files]
