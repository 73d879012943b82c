"""An installed Redpanda, as an engine of the lab."""

import json
from dataclasses import asdict, dataclass

from medkg_lab import launch, ports
from medkg_lab.broker.address import Address
from medkg_lab.broker.engine import EngineKind, folder
from medkg_lab.broker.redpanda.config import Plan
from medkg_lab.broker.redpanda.installation import Installation, find
from medkg_lab.files import replace_private
from medkg_lab.locations import Locations
from medkg_lab.port_use import problem_with
from medkg_lab.settings import BrokerSettings, Settings

_INSTALLATION = "installation.json"


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

    def argv(self, port: str | None = None) -> list[str]:
        """The command that runs it, on its usual port whatever `port` is."""
        return launch.python("medkg_lab.broker.redpanda", *self.arguments)


def redpanda_engine(locations: Locations, settings: Settings) -> RedpandaEngine:
    """Redpanda as `settings` describe it; nothing is started or looked for yet."""
    further = ports.redpanda_ports(locations)
    plan = Plan(
        folder=folder(locations) / "redpanda",
        kafka=ports.lab_ports(locations).broker,
        rpc=further.rpc,
        admin=further.admin,
        memory_mib=settings.broker.redpanda_memory_mib,
        auto_create_topics=settings.broker.auto_create_topics,
    )
    return RedpandaEngine(plan, settings.broker, locations.arguments())


def _renew_taken_ports(locations: Locations) -> None:
    if any(map(problem_with, asdict(ports.redpanda_ports(locations)).values())):
        ports.renew_redpanda_ports(locations)


REDPANDA = EngineKind(redpanda_engine, before_start=_renew_taken_ports)
