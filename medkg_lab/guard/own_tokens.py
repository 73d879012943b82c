"""The lab's own bearer tokens, each alone in a file of mode 0600."""

import hmac
from pathlib import Path


def bearer(authorization: str | None) -> str | None:
    """The token of a header `Authorization` (RFC 6750, section 2.1); None when it brings none."""
    kind, _, token = (authorization or "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


def opens(path: Path, token: str) -> bool:
    """Whether `token` is the one in the file, which is read each time: one that was deleted or replaced opens nothing."""
    kept = path.read_bytes().strip() if path.exists() else b""
    return bool(kept) and hmac.compare_digest(token.encode("utf-8", "replace"), kept)
