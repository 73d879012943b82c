"""The lab's own broker, as an engine of the lab."""

from dataclasses import dataclass
from pathlib import Path

from medkg_lab import credentials, launch
from medkg_lab.broker.address import Address, producer_password_file, scram_login
from medkg_lab.broker.embedded.scram import MECHANISM
from medkg_lab.broker.engine import EngineKind, folder
from medkg_lab.locations import Locations
from medkg_lab.ports import lab_ports
from medkg_lab.settings import BrokerSettings, Settings

OPEN_TO_ALL = "open to every user of this machine (broker.authentication: none)"


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


def embedded_engine(locations: Locations, settings: Settings) -> EmbeddedEngine:
    """The lab's own broker as `settings` describe it. Raises PasswordUnusable."""
    broker, passwords, login = settings.broker, None, {}
    if broker.authentication == "scram":
        lab = credentials.password_file(locations, credentials.LAB_ACCOUNT)
        passwords = PasswordFiles(lab, producer_password_file(broker, locations))
        login = scram_login(credentials.LAB_ACCOUNT, credentials.password(lab))
    port = lab_ports(locations).broker
    return EmbeddedEngine(
        embedded_folder(locations),
        Address(f"127.0.0.1:{port}", tuple(login.items()), port),
        passwords,
        broker.topic_prefix,
        broker.other_topics_mib,
        broker.auto_create_topics,
        access(broker),
    )


def access(broker: BrokerSettings) -> str:
    """Who the embedded broker lets in, in words."""
    return MECHANISM if broker.authentication == "scram" else OPEN_TO_ALL


def embedded_folder(locations: Locations) -> Path:
    """Where the embedded broker keeps its data."""
    return folder(locations) / "embedded"


EMBEDDED = EngineKind(embedded_engine)
