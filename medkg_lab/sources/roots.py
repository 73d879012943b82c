"""Files that a submission names by `file://`: read only from inside the folders that the settings allow."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from medkg_lab.sources.errors import FileTooBig, NotAFileAddress, OutsideAllowedRoots
from medkg_lab.sources.files import read_regular


def read_allowed(uri: str, roots: Sequence[Path], max_bytes: int) -> tuple[Path, bytes]:
    """The file behind `uri` and its bytes.

    The real path counts: neither `..` nor a symbolic link leads out of `roots`. Raises NotAFileAddress, OutsideAllowedRoots,
    FileTooBig.
    """
    named = _path(uri)
    try:
        path = named.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        if not any(named.is_relative_to(root) for root in roots):
            raise OutsideAllowedRoots(uri=uri) from None
        raise NotAFileAddress(uri=uri, detail=getattr(error, "strerror", None) or str(error)) from None
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        raise OutsideAllowedRoots(uri=uri)
    if path.is_file() and path.stat().st_size > max_bytes:
        raise FileTooBig(name=path.name, size=path.stat().st_size, limit=max_bytes)
    try:
        return path, read_regular(path, max_bytes)
    except OSError as error:
        raise NotAFileAddress(uri=uri, detail=error.strerror or str(error)) from None


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise NotAFileAddress(uri=uri, detail="it names another machine or no file")
    raw = unquote_to_bytes(parts.path)
    if b"\0" in raw or not raw.startswith(b"/"):
        raise NotAFileAddress(uri=uri, detail="the path must be absolute")
    return Path(os.fsdecode(raw))
