"""One lab: where it lies, and the clients of its processes, made when first used."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab.errors import LabNotRunning
from medkg_lab.locations import Locations, locate
from medkg_lab.rpc import DEFAULT_TIMEOUT_S, Client
from medkg_lab.supervisor.client import SupervisorClient

if TYPE_CHECKING:
    from medkg_lab.broker.address import Address
    from medkg_lab.knowledge.client import KnowledgeClient
    from medkg_lab.lab.dagster_access import DagsterAccess
    from medkg_lab.ledger.client import LedgerClient
    from medkg_lab.orchestration.runs import RecordedRun
    from medkg_lab.settings import Settings
    from medkg_lab.topology.catalog import Catalog


class Lab:
    """The lab at `locations`; nothing is started, read or imported until it is asked for: the screen's first frame, and a
    command that only asks the supervisor, wait for none of it."""

    def __init__(self, locations: Locations, deadline: float = DEFAULT_TIMEOUT_S) -> None:
        """`deadline` is the seconds that ledger and knowledge have for an answer."""
        self.locations = locations
        self.deadline = deadline
        self.supervisor = SupervisorClient(locations)

    def __repr__(self) -> str:
        return f"<Lab {self.locations.home}>"

    @classmethod
    def at(cls, home: str | Path | None = None, deadline: float = DEFAULT_TIMEOUT_S) -> "Lab":
        """The lab at `home`, or the default one."""
        return cls(locate(home), deadline)

    @cached_property
    def settings(self) -> "Settings":
        """The lab's settings. Raises SettingsInvalid."""
        from medkg_lab import settings

        return settings.load(self.locations)

    @cached_property
    def ledger(self) -> "LedgerClient":
        """The job ledger, which is waited for while it restarts. Raises LabNotRunning at once when there is no lab to ask."""
        from medkg_lab.ledger.client import RETURN_TIMEOUT_S, LedgerClient

        self.require_running()
        patience = RETURN_TIMEOUT_S if self.deadline >= DEFAULT_TIMEOUT_S else 0.0
        return LedgerClient(self.locations.socket("ledger"), self.deadline, patience=patience)

    @cached_property
    def knowledge(self) -> "KnowledgeClient":
        """Search and graph. Raises LabNotRunning at once when there is no lab to ask."""
        from medkg_lab.knowledge.client import KnowledgeClient

        self.require_running()
        return KnowledgeClient(self.locations.socket("knowledge"), self.deadline)

    @cached_property
    def catalog(self) -> "Catalog":
        """Topologies, policies and profiles as they lie on disk."""
        from medkg_lab.topology.catalog import Catalog

        return Catalog(self.locations)

    @property
    def bootstrap(self) -> "Address":
        """Where the broker listens, and how to be let in."""
        from medkg_lab.broker.engine import broker_address

        return broker_address(self.settings, self.locations)

    @property
    def dagster(self) -> "DagsterAccess":
        """The way to Dagster's pages."""
        from medkg_lab.lab.dagster_access import DagsterAccess

        return DagsterAccess(self.locations, self.supervisor)

    def require_running(self) -> None:
        """Raise LabNotRunning unless a supervisor answers."""
        if not self.supervisor.is_running():
            raise LabNotRunning(home=self.locations.home)

    def dagster_runs(self) -> "Iterator[RecordedRun]":
        """Every visible run of a job with its stage states, read through Dagster's own interface."""
        import msgspec

        from medkg_lab.orchestration.runs import RecordedRuns

        self.require_running()
        client = Client(self.locations.socket("dagsterd"), deadline=60)
        after: str | None = None
        while True:
            page = msgspec.convert(client.call("runs", after=after, limit=1000), RecordedRuns)
            yield from (run for run in page.runs if run.job_id is not None)
            after = page.next
            if after is None:
                return
