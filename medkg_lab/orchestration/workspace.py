"""The lab's code location: in the process of the pages and the daemon, and reloadable there.

Dagster's own in-process location refuses to reload; loading it anew is all that a reload needs here, as it is made from the
pipelines' files each time.
"""

import sys

from dagster import DagsterInstance

from medkg_lab.orchestration.compat import (
    InProcessCodeLocation,
    InProcessCodeLocationOrigin,
    InProcessWorkspaceLoadTarget,
    LoadableTargetOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    whitelist_for_serdes,
)

LOCATION_NAME = "medkg-lab"
REPOSITORY_NAME = "__repository__"
"""What Dagster calls the repository of a `Definitions` object."""
DEFINITIONS_MODULE = "medkg_lab.orchestration.code_location"
DEFINITIONS_FUNCTION = "definitions"


class LabCodeLocation(InProcessCodeLocation):
    """The code location as loaded; the page's reload button is enabled for it."""

    @property
    def is_reload_supported(self) -> bool:
        """Always."""
        return True


@whitelist_for_serdes
class LabCodeLocationOrigin(InProcessCodeLocationOrigin):
    """Where the code location comes from; stored with each run that Dagster itself makes."""

    @property
    def is_reload_supported(self) -> bool:
        """Always."""
        return True

    def create_location(self, instance: DagsterInstance) -> LabCodeLocation:
        """Load the definitions from the pipelines' files."""
        return LabCodeLocation(self, instance=instance)

    def reload_location(self, instance: DagsterInstance) -> LabCodeLocation:
        """Load them again."""
        return self.create_location(instance)


def lab_origin() -> LabCodeLocationOrigin:
    """The one code location of a lab."""
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name=DEFINITIONS_MODULE, attribute=DEFINITIONS_FUNCTION
    )
    return LabCodeLocationOrigin(loadable_target_origin=target, location_name=LOCATION_NAME)


def load_target() -> InProcessWorkspaceLoadTarget:
    """The workspace that holds the lab's code location."""
    return InProcessWorkspaceLoadTarget(lab_origin())


def job_origin(job_name: str) -> RemoteJobOrigin:
    """How a run says which job of the lab's code location it ran."""
    return RemoteJobOrigin(RemoteRepositoryOrigin(lab_origin(), REPOSITORY_NAME), job_name)
