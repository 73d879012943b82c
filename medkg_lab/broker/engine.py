"""Which broker the lab uses: its own, an installed Redpanda, or a cluster that runs elsewhere.

The choice is written down with the data, because each engine has topics of its own: switching silently would look like
losing every event. A further engine is one more class with the shape of `BrokerEngine` and one more line in `_ENGINES`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medkg_lab import launch
from medkg_lab.broker.address import Address, broker_address, producer_password_file
from medkg_lab.broker.embedded.scram import MECHANISM
from medkg_lab.broker.errors import BadBrokerSetting, EngineMismatch, EngineRecordDamaged
from medkg_lab.broker.redpanda.config import Plan
from medkg_lab.broker.redpanda.installation import Installation, find
from medkg_lab.credentials import LAB_ACCOUNT, password_file
from medkg_lab.files import replace_private, write_private
from medkg_lab.locations import Locations
from medkg_lab.ports import lab_ports, redpanda_ports
from medkg_lab.settings import BrokerSettings, Settings

RECORD = "engine.json"
OPEN_TO_ALL = "open to every user of this machine (broker.authentication: none)"
_INSTALLATION = "installation.json"


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

    def argv(self) -> list[str] | None:
        """The command that the supervisor runs, or None when the broker is not ours to run."""


@dataclass(frozen=True)
class PasswordFiles:
    """Where the embedded broker reads the passwords of its two accounts."""

    lab: Path
    producer: Path


@dataclass(frozen=True)
class EmbeddedEngine:
    """The lab's own broker as a child process, with its data in `data`."""

    data: Path
    address: Address
    password_files: PasswordFiles | None
    topic_prefix: str = ""
    other_topics_mib: int = 4096
    auto_create: bool = True
    access: str = MECHANISM
    name: str = "embedded"

    def durability(self) -> str:
        """What an acknowledged event survives."""
        return "acks=all: acknowledged after fdatasync on this machine's disk, one copy; nothing acknowledged is lost"

    def details(self) -> dict[str, str]:
        """Who is let in."""
        return {"access": self.access}

    def argv(self, port: str | None = None) -> list[str]:
        """The command that runs it; on another `port` than usual when one is given."""
        number = port or self.address.servers.rpartition(":")[2]
        options = [] if self.auto_create else ["--no-auto-create"]
        if self.password_files is not None:
            options += ["--lab-password-file", str(self.password_files.lab)]
            options += ["--producer-password-file", str(self.password_files.producer)]
        else:
            options += ["--no-authentication"]
        options += [f"--topic-prefix={self.topic_prefix}"] if self.topic_prefix else []
        options += ["--max-other-bytes", str(self.other_topics_mib * 1024 * 1024)]
        return launch.python("medkg_lab.broker.embedded", "--data", str(self.data), *options, "--port", number)


@dataclass(frozen=True)
class RedpandaEngine:
    """An installed Redpanda as a child process."""

    plan: Plan
    settings: BrokerSettings
    arguments: tuple[str, ...]
    name: str = "redpanda"

    @property
    def address(self) -> Address:
        """The address on the loopback interface."""
        return Address(f"127.0.0.1:{self.plan.kafka}", own_port=self.plan.kafka)

    def installation(self) -> Installation:
        """The Redpanda that the settings name. Raises RedpandaNotFound."""
        return find(self.settings.redpanda_home, self.settings.redpanda_binary)

    def note_installation(self) -> dict[str, str]:
        """Ask the program for its version, and keep that with its path for `details`. Raises LabError."""
        found = self.installation()
        facts = {"version": found.version(), "path": str(found.program)}
        replace_private(self.plan.folder / _INSTALLATION, json.dumps(facts))
        return facts

    def durability(self) -> str:
        """What an acknowledged event survives."""
        return "acks=all: acknowledged after fsync on this machine's disk (write caching off), one copy"

    def details(self) -> dict[str, str]:
        """Version and path of the Redpanda that ran last."""
        try:
            return dict(json.loads((self.plan.folder / _INSTALLATION).read_text()))
        except (OSError, ValueError, TypeError):
            return {}  # it never started, or the note is damaged: the next start writes it anew

    def argv(self) -> list[str] | None:
        """The command that runs it."""
        return launch.python("medkg_lab.broker.redpanda", *self.arguments)


@dataclass(frozen=True)
class ExternalEngine:
    """A Kafka-protocol cluster that someone else runs."""

    address: Address
    name: str = "external"

    def durability(self) -> str:
        """What an acknowledged event survives."""
        return "acks=all: what the external cluster promises for it"

    def details(self) -> dict[str, str]:
        """How the connection is secured."""
        return {"access": dict(self.address.security).get("security.protocol", "plaintext")}

    def argv(self) -> list[str] | None:
        """None: it is not ours to run."""
        return None


def _embedded(locations: Locations, settings: Settings) -> BrokerEngine:
    broker, passwords = settings.broker, None
    if broker.authentication == "scram":
        passwords = PasswordFiles(
            password_file(locations, LAB_ACCOUNT), producer_password_file(settings.broker, locations)
        )
    return EmbeddedEngine(
        embedded_folder(locations),
        broker_address(settings, locations),
        passwords,
        broker.topic_prefix,
        broker.other_topics_mib,
        broker.auto_create_topics,
        access(broker),
    )


def access(broker: BrokerSettings) -> str:
    """Who the embedded broker lets in, in words."""
    return MECHANISM if broker.authentication == "scram" else OPEN_TO_ALL


def redpanda_engine(locations: Locations, settings: Settings) -> RedpandaEngine:
    """Redpanda as `settings` describe it; nothing is started or looked for yet."""
    further = redpanda_ports(locations)
    plan = Plan(
        folder=folder(locations) / "redpanda",
        kafka=lab_ports(locations)["broker"],
        rpc=further["rpc"],
        admin=further["admin"],
        memory_mib=settings.broker.redpanda_memory_mib,
        auto_create_topics=settings.broker.auto_create_topics,
    )
    return RedpandaEngine(plan, settings.broker, locations.arguments())


def _external(locations: Locations, settings: Settings) -> BrokerEngine:
    if not settings.broker.bootstrap.strip():
        raise BadBrokerSetting(detail="the external engine needs the address of the cluster in broker.bootstrap")
    return ExternalEngine(broker_address(settings, locations))


_ENGINES: dict[str, Callable[[Locations, Settings], BrokerEngine]] = {
    "embedded": _embedded,
    "redpanda": redpanda_engine,
    "external": _external,
}


def folder(locations: Locations) -> Path:
    """Where everything about the broker is kept."""
    return locations.data / "broker"


def embedded_folder(locations: Locations) -> Path:
    """Where the embedded broker keeps its data."""
    return folder(locations) / "embedded"


def named(name: str, locations: Locations, settings: Settings) -> BrokerEngine:
    """The engine called `name`, whichever is configured. Raises BadBrokerSetting."""
    broker = settings.broker.model_copy(update={"engine": name})
    return _ENGINES[name](locations, settings.model_copy(update={"broker": broker}))


def choose(locations: Locations, settings: Settings) -> BrokerEngine:
    """The engine that `settings` names; writes the choice down with the lab's data the first time.

    Raises BadBrokerSetting, and EngineMismatch when the data was written with another engine.
    """
    engine = _ENGINES[settings.broker.engine](locations, settings)
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
