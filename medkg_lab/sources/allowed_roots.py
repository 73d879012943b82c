"""Files that a submission names by `file://`: read only from inside the folders that the settings allow."""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from medkg_lab.sources.errors import FileTooBig, NotAFileAddress, OutsideAllowedRoots
from medkg_lab.sources.files import OverLimit, open_folder, read_beneath

LEADS_OUT = (errno.ELOOP, errno.EXDEV)
"""What the kernel answers to a symbolic link, and to a path that leaves the folder."""


def read_allowed(uri: str, roots: Sequence[Path], max_bytes: int) -> tuple[Path, bytes]:
    """The file behind `uri` and its bytes.

    The file is opened from the root's descriptor and without following symbolic links below it, so that nothing that is renamed
    or replaced meanwhile leads out of `roots`. Raises NotAFileAddress, OutsideAllowedRoots, FileTooBig.
    """
    named = _path(uri)
    failure: OSError | None = None
    for root, inner in _places(named, roots):
        try:
            with open_folder(root) as folder:
                return root / inner, read_beneath(folder, inner, max_bytes)
        except OverLimit as error:
            raise FileTooBig(name=named.name, size=error.size, limit=max_bytes) from None
        except OSError as error:
            failure = error
    if failure is None or failure.errno in LEADS_OUT:
        raise OutsideAllowedRoots(uri=uri)
    raise NotAFileAddress(uri=uri, detail=failure.strerror or str(failure))


def _places(named: Path, roots: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each root that the path lies in by its name, as the settings give the root or by its real path, with the rest."""
    for root in roots:
        for folder in dict.fromkeys((Path(os.path.normpath(root)), root.resolve())):
            if named.is_relative_to(folder):
                yield root, str(named.relative_to(folder))


def _path(uri: str) -> Path:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise NotAFileAddress(uri=uri, detail=str(error)) from None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise NotAFileAddress(uri=uri, detail="it names another machine or no file")
    raw = unquote_to_bytes(parts.path)
    if b"\0" in raw or not raw.startswith(b"/"):
        raise NotAFileAddress(uri=uri, detail="the path must be absolute")
    return Path(os.path.normpath(os.fsdecode(raw)))
