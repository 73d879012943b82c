"""Why Redpanda did not start, from what it wrote to its log."""

import re
from collections.abc import Sequence
from pathlib import Path

from medkg_lab.broker.redpanda.errors import (
    RedpandaEnded,
    RedpandaFolderInUse,
    RedpandaNoAio,
    RedpandaNoMemory,
    RedpandaOldData,
    RedpandaPortTaken,
    RedpandaUnloadable,
)
from medkg_lab.errors import LabError

_SIGNS: tuple[tuple[str, type[LabError]], ...] = (
    (r"could not setup async i/o|aio-max-nr|io_setup", RedpandaNoAio),
    (r"address already in use", RedpandaPortTaken),
    (r"insufficient (physical )?memory|cannot allocate memory|bad_alloc|not enough memory", RedpandaNoMemory),
    (
        r"incompatible downgrade|incompatible logical version|core count is not allowed|change in number of cores"
        r"|upgrade from .* is not supported",
        RedpandaOldData,
    ),
    (r"(lock|locked).*pid|pid.*(lock|locked)|already running", RedpandaFolderInUse),
    (r"error while loading shared libraries|exec format error|no such file or directory: .*ld", RedpandaUnloadable),
)


def explain(lines: Sequence[str], code: int, folder: Path, ports: Path, program: Path) -> LabError:
    """The error that stands for a Redpanda that ended with `code` after writing `lines`."""
    for pattern, error in _SIGNS:
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return error(line=line.strip(), folder=folder, ports=ports, program=program)
    return RedpandaEnded(code=code, line=last_words(lines))


def last_words(lines: Sequence[str]) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
