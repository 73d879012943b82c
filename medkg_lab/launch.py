"""How every process of the lab is started, so that no file of the folder it is started in becomes part of it.

Python puts the current folder first on the path of `python -m` and `python -c`; with `-P`, or PYTHONSAFEPATH for what a
library starts, it does not (https://docs.python.org/3/using/cmdline.html#cmdoption-P).
"""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from medkg_lab import telemetry

if TYPE_CHECKING:
    import multiprocessing.context

_FOLDERS = (
    "MEDKG_LAB_HOME",
    "MEDKG_LAB_CACHE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
)
"""Variables that name a folder, which a process with another current folder would look for elsewhere."""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` of the lab in a Python of its own."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment `given`, or this process's own, for a process that starts in another folder.

    Folders named relative to the current one are made absolute, and empty entries of PYTHONPATH, which mean the current folder
    of whoever reads it, are dropped.
    """
    found = dict(os.environ if given is None else given)
    for name in _FOLDERS:
        if found.get(name):
            found[name] = os.path.abspath(os.path.expanduser(found[name]))
    if "PYTHONPATH" in found:
        found["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, found["PYTHONPATH"].split(os.pathsep))))
    return found | telemetry.OFF | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def spawning() -> "multiprocessing.context.SpawnContext":
    """The context in which multiprocessing starts processes: they leave the current folder alone from now on."""
    import multiprocessing

    os.environ["PYTHONSAFEPATH"] = "1"
    return multiprocessing.get_context("spawn")
