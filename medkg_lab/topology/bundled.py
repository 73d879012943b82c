"""The definitions that come with the lab."""

from functools import cache
from pathlib import Path

import medkg_lab

NAME = "bundled_pipelines"


@cache
def folder() -> Path:
    """The bundled folder: inside the package when it was installed, beside it in a checkout. Raises FileNotFoundError."""
    package = Path(medkg_lab.__file__).resolve().parent
    for candidate in (package / NAME, package.parent / NAME):
        if (candidate / "pipelines").is_dir():
            return candidate
    raise FileNotFoundError(f"{package / NAME}: the bundled definitions are missing; install medkg-lab again")
