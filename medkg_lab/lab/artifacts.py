"""Looking into what stages made: an artifact's size and the beginning of its text."""

from dataclasses import dataclass

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.lab.facade import Lab

SHOWN = 4000


@dataclass(frozen=True)
class Preview:
    """The beginning of an artifact; `text` is empty for binary data."""

    sha256: str
    size: int
    text: str
    whole: bool


def preview(lab: Lab, sha256: str, most: int = SHOWN) -> Preview:
    """Read an artifact and keep at most `most` bytes of it. Raises ArtifactMissing and ArtifactDamaged."""
    store = ArtifactStore(lab.locations.data / "artifacts")
    try:
        data = store.get(sha256)
    finally:
        store.close()
    head = data[:most]
    text = "" if b"\0" in head else head.decode("utf-8", errors="replace")
    return Preview(sha256, len(data), text, len(data) <= most)
