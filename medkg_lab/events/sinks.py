"""Where events go besides the lab's topics: sinks that packages publish under the entry-point group `medkg_lab.sinks`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from medkg_lab import plugins
from medkg_lab.errors import LabError

GROUP = "medkg_lab.sinks"
READER = "sink:"
"""What the names of the sinks' bookmarks begin with."""


@dataclass(frozen=True, slots=True)
class SinkMark:
    """A sink's bookmark: the last event that it took."""

    seq: int


class UnknownSink(LabError):
    """There is no event sink called {name!r}; packages bring {known}. Correct `sinks` in settings.yaml, or install
    the package."""


class BrokenSink(LabError):
    """The event sink {name!r} cannot be made: {detail}. Correct its part of `sinks` in settings.yaml, or its package."""


class Sink(Protocol):
    """Where events go: a class that is made with its part of the settings."""

    def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take CloudEvents, each as the JSON object of the specification, in the order in which they happened.

        Once it returns they do not come again; when it raises, all of them do, after a pause. After a crash some come again too,
        with the same `id`.
        """
        ...


def make(name: str, settings: Mapping[str, Any]) -> Sink:
    """The sink of this name. Raises UnknownSink and BrokenSink."""
    if name not in plugins.names(GROUP):
        raise UnknownSink(name=name, known=", ".join(plugins.names(GROUP)) or "none")
    try:
        return cast(Callable[[Mapping[str, Any]], Sink], plugins.load(GROUP, name))(settings)
    except Exception as error:
        raise BrokenSink(name=name, detail=f"{type(error).__name__}: {error}") from error
