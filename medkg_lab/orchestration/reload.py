"""Loading the lab's definitions into Dagster anew when a pipeline's file has changed, while everything goes on."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from medkg_lab.logs import fields
from medkg_lab.orchestration.compat import (
    IWorkspaceProcessContext,
)
from medkg_lab.orchestration.workspace import LOCATION_NAME
from medkg_lab.topology.catalog import Catalog

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 0.25
"""How often the files are looked at: a look costs a millisecond."""


class Reloader:
    """Watches the pipelines of a lab. Jobs that run go on with the version that they were submitted with."""

    def __init__(self, catalog: Catalog, context: IWorkspaceProcessContext[Any]) -> None:
        self._catalog = catalog
        self._context = context
        self._known = catalog.topologies()

    def reload_if_changed(self) -> bool:
        """Reload if a pipeline was added, removed or changed, and say whether that was so."""
        found = self._catalog.topologies()
        if found == self._known:
            return False
        self._known = found
        self._context.reload_code_location(LOCATION_NAME)
        logger.info("loaded the pipelines anew: %s", ", ".join(found), extra=fields(event="pipelines.reloaded"))
        return True

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Look until `stopping(seconds)`, which waits that long, says so."""
        while not stopping(CHECK_INTERVAL_S):
            try:
                self.reload_if_changed()
            except Exception:
                # Boundary of the thread: the pages go on with the definitions from before.
                logger.exception("the pipelines could not be reloaded")

    def start(self, stopping: Callable[[float], bool]) -> threading.Thread:
        """Run in a thread."""
        thread = threading.Thread(target=self.run, args=(stopping,), name="reloader", daemon=True)
        thread.start()
        return thread
