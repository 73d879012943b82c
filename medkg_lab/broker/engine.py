"""Which broker the lab uses: its own, or a cluster that runs elsewhere.

The choice is written down with the data, because each engine has topics of its own: switching silently would look like
losing every event. A further engine is one more class with the shape of `BrokerEngine` and one more line in `_ENGINES`.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medkg_lab.broker import probe
from medkg_lab.broker.errors import BadBrokerSetting, BrokerUnreachable, EngineMismatch, EngineRecordDamaged
from medkg_lab.locations import Locations
from medkg_lab.settings import Settings, ports, write_private

RECORD = "engine.json"


class BrokerEngine(Protocol):
    """What the rest of the lab needs to know of a broker."""

    @property
    def name(self) -> str:
        """The engine's name, as in the configuration."""

    @property
    def bootstrap_servers(self) -> str:
        """The addresses for Kafka clients, comma-separated host:port."""

    def durability(self) -> str:
        """What an acknowledged event survives, in a few words."""

    def argv(self) -> list[str] | None:
        """The command that the supervisor runs, or None when the broker is not ours to run."""

    def ready(self, timeout: float = 2.0) -> bool:
        """Whether the broker answers a Metadata request within `timeout` seconds."""


@dataclass(frozen=True)
class EmbeddedEngine:
    """The lab's own broker as a child process, with its data in `data`."""

    data: Path
    port: int
    name: str = "embedded"

    @property
    def bootstrap_servers(self) -> str:
        """The address on the loopback interface."""
        return f"127.0.0.1:{self.port}"

    def durability(self) -> str:
        """What an acknowledged event survives."""
        return "acknowledged after fdatasync on this machine's disk; one copy"

    def argv(self) -> list[str] | None:
        """The command that runs it."""
        program = [sys.executable, "-m", "medkg_lab.broker.embedded"]
        return [*program, "--data", str(self.data), "--port", str(self.port)]

    def ready(self, timeout: float = 2.0) -> bool:
        """Whether it answers within `timeout` seconds."""
        return _answers(self.bootstrap_servers, timeout)


@dataclass(frozen=True)
class ExternalEngine:
    """A Kafka-protocol cluster that someone else runs."""

    bootstrap_servers: str
    name: str = "external"

    def durability(self) -> str:
        """What an acknowledged event survives."""
        return "what the external cluster promises for acks=all"

    def argv(self) -> list[str] | None:
        """None: it is not ours to run."""
        return None

    def ready(self, timeout: float = 2.0) -> bool:
        """Whether it answers within `timeout` seconds."""
        return _answers(self.bootstrap_servers, timeout)


def _answers(bootstrap: str, timeout: float) -> bool:
    try:
        probe.metadata(bootstrap, timeout)
    except BrokerUnreachable:
        return False
    return True


def _embedded(locations: Locations, _: Settings) -> BrokerEngine:
    return EmbeddedEngine(folder(locations) / "embedded", ports(locations)["broker"])


def _external(_: Locations, settings: Settings) -> BrokerEngine:
    if not settings.broker.bootstrap.strip():
        raise BadBrokerSetting(detail="the external engine needs the address of the cluster in broker.bootstrap")
    return ExternalEngine(settings.broker.bootstrap)


_ENGINES: dict[str, Callable[[Locations, Settings], BrokerEngine]] = {"embedded": _embedded, "external": _external}


def folder(locations: Locations) -> Path:
    """Where everything about the broker is kept."""
    return locations.data / "broker"


def choose(locations: Locations, settings: Settings) -> BrokerEngine:
    """The engine that `settings` names; writes the choice down with the lab's data the first time.

    Raises BadBrokerSetting, and EngineMismatch when the data was written with another engine.
    """
    engine = _ENGINES[settings.broker.engine](locations, settings)
    path = folder(locations) / RECORD
    if not path.exists():
        write_private(path, json.dumps({"engine": engine.name}))
    recorded = _read(path)
    if recorded != engine.name:
        raise EngineMismatch(folder=path.parent, recorded=recorded, wanted=engine.name)
    return engine


def _read(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["engine"])
    except (ValueError, KeyError, TypeError) as error:
        raise EngineRecordDamaged(path=path, detail=repr(error)) from error
