"""Topics that somebody deleted are made again, without a restart."""

import logging
from collections.abc import Callable, Sequence

from medkg_lab.broker.client_settings import Bootstrap
from medkg_lab.broker.errors import TopicNotChanged
from medkg_lab.broker.topics import TopicMaker, TopicSpec
from medkg_lab.errors import LabError

log = logging.getLogger(__name__)

RETRY_INTERVAL_S = 3.0
"""Seconds between two looks. A topic is made again at the second one that misses it: those who read it have noticed by then,
within two seconds, and begin the new one at its start instead of where they were."""
TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0


class TopicMaintainer:
    """Looks after the lab's topics until `stopping` says so."""

    def __init__(self, bootstrap: Bootstrap, wanted: Sequence[TopicSpec]) -> None:
        self._maker = TopicMaker(bootstrap, wanted)

    def begin(self, is_own: bool) -> None:
        """Make what is missing, and on a broker of the lab's own give the others the retention that they should have.

        Raises BrokerUnreachable, TopicNotMade, TopicOutOfOrder.
        """
        self._maker.make_missing(START_TIMEOUT_S)
        if not is_own:
            return
        try:
            if changed := self._maker.align(START_TIMEOUT_S):
                log.info("keep their records for another time or size than before: %s", ", ".join(changed))
        except TopicNotChanged as error:
            log.warning("%s", error)

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
