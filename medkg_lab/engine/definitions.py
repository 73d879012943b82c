"""The definitions an engine works by: topologies in the version of each job, profile and policies as they are now."""

import logging
import time
from dataclasses import dataclass
from functools import lru_cache

from dagster import JobDefinition
from pydantic import BaseModel

from medkg_lab.engine.batch_executor import Pipeline
from medkg_lab.engine.errors import DefinitionMissing
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields
from medkg_lab.orchestration.drive import Driver
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.graph import Phase, phases
from medkg_lab.topology.profiles import Profile
from medkg_lab.topology.versions import content_version, from_json, to_json

logger = logging.getLogger(__name__)

CACHED_VERSIONS = 32
"""How many topology versions stay compiled; a lab has a handful alive at a time."""
CHECK_INTERVAL_S = 1.0
"""How often the files are looked at: a look costs a millisecond, a batch comes several times a second."""
POLICIES = "policies"


@dataclass(frozen=True)
class CompiledPipeline:
    """A topology version that this engine can run: `jobs` by half name."""

    pipeline: Pipeline
    phases: tuple[Phase, ...]
    jobs: dict[str, JobDefinition]


class Definitions:
    """Loads definitions and registers with the ledger those that this engine stamps its batches with."""

    def __init__(self, ledger: LedgerClient, catalog: Catalog, profile: str, driver: Driver) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._name = profile
        self._driver = driver
        self._stamps: dict[str, str] = {}
        self._look_again = 0.0
        self.pipeline = lru_cache(CACHED_VERSIONS)(self._load)
        self.profile: Profile = catalog.profile(profile)
        self.policies: Policies = catalog.policies()

    def refresh(self) -> dict[str, str]:
        """Read profile and policies again if their files changed; the stamps of the next claim.

        A changed file that is invalid is left aside with a line in the log.
        """
        if self._stamps and time.monotonic() < self._look_again:
            return self._stamps
        self._look_again = time.monotonic() + CHECK_INTERVAL_S
        try:
            profile, policies = self._catalog.profile(self._name), self._catalog.policies()
        except LabError as error:
            if self._stamps:
                logger.warning(
                    "going on with the definitions from before: %s", error, extra=fields(event="definitions.kept")
                )
                return self._stamps
            raise
        if not self._stamps or profile is not self.profile or policies is not self.policies:
            self.profile, self.policies = profile, policies
            self._stamps = {
                "profile": profile.name,
                "profile_version": self._register("profile", profile.name, profile),
                "policies_version": self._register(POLICIES, POLICIES, policies),
            }
        return self._stamps

    def _register(self, kind: str, name: str, content: BaseModel) -> str:
        version = content_version(content)
        self._ledger.register(kind, name, version, to_json(content))
        return version

    def _load(self, name: str, version: str) -> CompiledPipeline:
        found = self._ledger.definitions("topology", name=name, version=version)
        if not found:
            raise DefinitionMissing(kind="topology", name=name, version=version)
        topology = from_json(found[0].content)
        return CompiledPipeline(Pipeline.of(topology), phases(topology), self._driver.compile(topology))
