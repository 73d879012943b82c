"""Readers of plug-ins for formats that the lab does not read, published under the entry-point group `medkg_lab.readers`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from medkg_lab.models.documents import Document
from medkg_lab.plugins import published

GROUP = "medkg_lab.readers"


@dataclass(frozen=True)
class Reader:
    """A format: `suffixes` maps the ends of files' names to its media type, `read` gets bytes, document id and source.

    `suits` says of bytes whether they are of this format, whatever the name; `read` raises a DocumentError where the document is
    at fault. The lab's own formats stay its own.
    """

    name: str
    suffixes: Mapping[str, str] = field(default_factory=dict)
    suits: Callable[[bytes], bool] = lambda _: False
    read: Callable[[bytes, str, str], Document] | None = None


@cache
def readers() -> tuple[Reader, ...]:
    """The readers that are installed."""
    return tuple(one for one in published(GROUP).values() if isinstance(one, Reader) and one.read is not None)


def promised(suffix: str) -> str | None:
    """The media type of the reader that names this suffix."""
    return next((one.suffixes[suffix] for one in readers() if suffix in one.suffixes), None)


def reader_of(data: bytes, media_type: str) -> Reader | None:
    """The reader for these bytes: by the media type that a name promised, or by the bytes themselves."""
    chosen = (one for one in readers() if media_type in one.suffixes.values() or one.suits(data))
    return next(chosen, None)
