"""Which processes a lab has, how each is started, and which must be ready before it."""

from medkg_lab import launch
from medkg_lab.broker.engine import choose
from medkg_lab.ledger.positions import OPTIONAL
from medkg_lab.locations import Locations
from medkg_lab.ports import lab_ports
from medkg_lab.settings import Settings
from medkg_lab.supervisor.spec import ProcessSpec
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.errors import DefinitionInvalid, UnknownProfile

BACKGROUND_NICENESS = 10
"""Niceness of what is woken often and briefly: a kernel that wakes it on an engine's processor, while another has none to run,
leaves the engine waiting. Where all processors are taken it still gets a tenth of one, and at once if it asked for less."""
SERVER = "server-"
"""What the names of processes begin with that keep a server of the profile."""


def compute_engines(number: int) -> tuple[str, ...]:
    """The names of so many engines: `engine-compute`, `engine-compute-2` and so on."""
    return ("engine-compute", *(f"engine-compute-{n}" for n in range(2, number + 1)))


def _servers(locations: Locations, settings: Settings) -> list[str]:
    try:
        return [server.name for server in Catalog(locations).profile(settings.profile).servers]
    except (DefinitionInvalid, UnknownProfile):
        return []  # the engines end with what is wrong with the profile, for everyone to see


def optional_readers(settings: Settings) -> tuple[str, ...]:
    """The readers of the ledger's log that the settings ask for; each is a process and a package of this name."""
    wanted = {"metrics": settings.metrics.enabled, "lineage": settings.lineage.enabled}
    return tuple(name for name in OPTIONAL if wanted[name])


def _port(reader: str, settings: Settings) -> int | None:
    return settings.ports.metrics if reader == "metrics" else None


def lab_processes(locations: Locations, settings: Settings) -> tuple[ProcessSpec, ...]:
    """The processes of the lab at `locations`, in an order that respects `after`."""
    numbers = lab_ports(locations)
    broker_argv = choose(locations, settings).argv()
    broker = (
        ProcessSpec("broker", tuple(broker_argv), port=numbers.broker, niceness=BACKGROUND_NICENESS)
        if broker_argv
        else None
    )
    queue = ("broker",) if broker else ()

    def ours(
        name: str,
        module: str,
        *arguments: str,
        after: tuple[str, ...] = (),
        port: int | None = None,
        after_outcome: tuple[str, ...] = (),
        slow: bool = False,
        niceness: int = 0,
    ) -> ProcessSpec:
        argv = tuple(launch.python(f"medkg_lab.{module}", *locations.arguments(), *arguments))
        return ProcessSpec(name, argv, after, port, after_outcome, slow, niceness)

    readers = optional_readers(settings)
    servers = _servers(locations, settings)
    loaded = tuple(f"{SERVER}{name}" for name in servers)
    return (
        *((broker,) if broker else ()),
        # One after the other: each measures the memory of the GPU that is free when it starts.
        *(
            ours(f"{SERVER}{name}", "services", "--name", name, slow=True, after_outcome=loaded[max(0, n - 1) : n])
            for n, name in enumerate(servers)
        ),
        ours("ledgerd", "ledger", *(f"--reader={name}" for name in readers), niceness=BACKGROUND_NICENESS),
        ours("knowledge", "knowledge", after=("ledgerd",)),
        ours("bridge", "bridge", after=(*queue, "ledgerd"), niceness=BACKGROUND_NICENESS),
        *(
            ours(name, "engine", "--name", name, "--lane", "compute", after=("ledgerd",), after_outcome=loaded)
            for name in compute_engines(settings.compute_engines)
        ),
        ours("engine-network", "engine", "--name", "engine-network", "--lane", "network", after=("ledgerd",)),
        ours("pdf", "pdf", after=(*queue, "ledgerd"), after_outcome=loaded),
        ours("dagsterd", "orchestration", after=("ledgerd",), port=numbers.dagster),
        *(ours(name, name, port=_port(name, settings), niceness=BACKGROUND_NICENESS) for name in readers),
    )
