"""Which broker the lab uses: its own, an installed Redpanda, a cluster that runs elsewhere, or one that a package brings.

The choice is written down with the data, because each engine has topics of its own: switching silently would look like
losing every event. An engine is published under the entry-point group `medkg_lab.brokers`, the lab's own as anyone's.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medkg_lab import plugins
from medkg_lab.broker.address import Address
from medkg_lab.broker.errors import BadBrokerSetting, EngineMismatch, EngineRecordDamaged, UnknownEngine
from medkg_lab.files import replace_private, write_private
from medkg_lab.locations import Locations
from medkg_lab.settings import BROKERS, Settings

RECORD = "engine.json"


class BrokerEngine(Protocol):
    """What the rest of the lab needs to know of a broker."""

    @property
    def name(self) -> str:
        """The engine's name, as in the configuration."""

    @property
    def address(self) -> Address:
        """Where clients find it, and how they are let in."""

    def durability(self) -> str:
        """What an acknowledged event survives, in a few words."""

    def details(self) -> dict[str, str]:
        """What else is worth showing, such as version and path."""

    def argv(self, port: str | None = None) -> list[str] | None:
        """The command that the supervisor runs, or None when the broker is not ours to run.

        With `port` it listens there instead, on any free one with "0", unless it cannot choose. Once it serves it writes one line
        of JSON with its `port` to stdout; it ends with SIGTERM.
        """


@dataclass(frozen=True)
class EngineKind:
    """A kind of broker, as an entry point names it: `make` gives the engine for a lab's folders and settings and starts nothing.

    `runs_here` says that the lab runs it on a port of its own; `before_start` is called with the lab's folders before its
    processes start.
    """

    make: Callable[[Locations, Settings], BrokerEngine]
    runs_here: bool = True
    before_start: Callable[[Locations], None] = lambda _: None


def kind(name: str) -> EngineKind:
    """The engine kind called `name`. Raises UnknownEngine, and BadBrokerSetting when its package is broken."""
    try:
        found = plugins.load(BROKERS, name)
    except KeyError:
        raise UnknownEngine(name=name, known=", ".join(plugins.names(BROKERS))) from None
    # Whatever a third party's module raises on import must become a sentence for whoever named it.
    except Exception as error:
        raise BadBrokerSetting(detail=f"engine {name} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, EngineKind):
        raise BadBrokerSetting(
            detail=f"what is published as engine {name} is a {type(found).__name__}, not an EngineKind"
        )
    return found


def broker_address(settings: Settings, locations: Locations) -> Address:
    """Where the broker listens, and how to be let in. Raises BadBrokerSetting, SettingsInvalid and PasswordUnusable."""
    return kind(settings.broker.engine).make(locations, settings).address


def folder(locations: Locations) -> Path:
    """Where everything about the broker is kept."""
    return locations.data / "broker"


def named(name: str, locations: Locations, settings: Settings) -> BrokerEngine:
    """The engine called `name`, whichever is configured. Raises UnknownEngine and BadBrokerSetting."""
    broker = settings.broker.model_copy(update={"engine": name})
    return kind(name).make(locations, settings.model_copy(update={"broker": broker}))


def choose(locations: Locations, settings: Settings) -> BrokerEngine:
    """The engine that `settings` names; writes the choice down with the lab's data the first time.

    Raises BadBrokerSetting, and EngineMismatch when the data was written with another engine.
    """
    engine = kind(settings.broker.engine).make(locations, settings)
    path = folder(locations) / RECORD
    write_private(path, json.dumps({"engine": engine.name}))
    recorded = _read(path)
    if recorded != engine.name:
        raise EngineMismatch(folder=path.parent, recorded=recorded, wanted=engine.name)
    return engine


def switch(locations: Locations, name: str) -> None:
    """Write down that the lab's events are now with the engine called `name`."""
    replace_private(folder(locations) / RECORD, json.dumps({"engine": name}))


def _read(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["engine"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineRecordDamaged(path=path, detail=repr(error)) from error
