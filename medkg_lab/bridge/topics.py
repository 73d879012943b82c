"""Topics that somebody deleted are made again, without a restart."""

import logging
from collections.abc import Callable

from medkg_lab.broker.client_settings import Bootstrap
from medkg_lab.broker.topics import TopicMaker, lab_topics
from medkg_lab.errors import LabError

log = logging.getLogger(__name__)

RETRY_INTERVAL_S = 3.0
"""Seconds between two looks. A topic is made again at the second one that misses it: those who read it have noticed by then,
within two seconds, and begin the new one at its start instead of where they were."""
TIMEOUT_S = 10.0


class TopicMaintainer:
    """Looks after the lab's topics until `stopping` says so."""

    def __init__(self, bootstrap: Bootstrap, prefix: str) -> None:
        self._maker = TopicMaker(bootstrap, lab_topics(prefix))

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Make again what is missing until the end comes; `stopping(seconds)` waits that long unless it does before."""
        missed: set[str] = set()
        while not stopping(RETRY_INTERVAL_S):
            try:
                missing = self._maker.missing(TIMEOUT_S)
                if missed & missing:
                    made = self._maker.make_missing(TIMEOUT_S)
                    log.warning("made again, since they were gone: %s", ", ".join(made))
                missed = missing
            except LabError as error:
                log.warning("the topics were not looked at: %s", error)
