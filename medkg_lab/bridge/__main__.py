"""`python -m medkg_lab.bridge`: intake, outbox and who looks after the topics, each in a thread."""

import logging
import threading
from collections.abc import Callable

from medkg_lab import process, settings
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bridge import settings_changes, sinks
from medkg_lab.bridge.intake import GROUP, Intake
from medkg_lab.bridge.outbox import Outbox, Signing
from medkg_lab.bridge.topics import TopicMaintainer
from medkg_lab.broker.client import Producer
from medkg_lab.broker.engine import broker_address, kind
from medkg_lab.broker.partitions import PartitionReader
from medkg_lab.broker.topics import Topics, chosen_topics
from medkg_lab.errors import LabError
from medkg_lab.heartbeat import LoopWatchdog
from medkg_lab.ledger import acts
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations
from medkg_lab.settings import Settings
from medkg_lab.signing import LEDGER_LOG, REQUESTS, signer
from medkg_lab.topology.catalog import Catalog

log = logging.getLogger("medkg_lab.bridge")

RETRY_INTERVAL_S = 1.0


def _make_topics(maintainer: TopicMaintainer, chosen: Settings, stopping: process.Stopping) -> None:
    """Make the lab's topics, waiting for the broker as long as it takes."""
    while not stopping():
        try:
            maintainer.begin(kind(chosen.broker.engine).runs_here)
            return
        except LabError as error:
            log.warning("the topics have to wait: %s", error)
            stopping(RETRY_INTERVAL_S)


def _note_acts(ledger: LedgerClient, locations: Locations, chosen: Settings, stopping: process.Stopping) -> None:
    """Tell the ledger of what changed and what was done while it did not run, waiting for it as long as it takes."""
    while not stopping():
        try:
            settings_changes.note(ledger, locations, chosen)
            acts.deliver(locations.state, ledger)
            return
        except LabError as error:
            log.warning("what was done before the start is noted later: %s", error)
            stopping(RETRY_INTERVAL_S)


def main() -> None:
    """Run until SIGTERM; the process ends when either side ends."""
    _, locations = process.arguments("bridge")
    chosen = settings.load(locations)
    bootstrap = broker_address(chosen, locations)
    topics = Topics(chosen.broker.topic_prefix)
    stopping = process.Stopping()
    stopping.listen()
    maintainer = TopicMaintainer(bootstrap, chosen_topics(chosen))
    _make_topics(maintainer, chosen, stopping)
    signing = Signing(signer(locations, LEDGER_LOG), signer(locations, REQUESTS), locations.state)
    reader = PartitionReader(bootstrap, topics.requests, GROUP)
    ledger = LedgerClient(locations.socket("ledger"))
    _note_acts(ledger, locations, chosen, stopping)
    intake = Intake(reader, Producer(bootstrap), ledger, Catalog(locations), topics, signing.requests)
    artifacts = ArtifactStore(locations.data / "artifacts")
    outbox = Outbox(LedgerClient(locations.socket("ledger")), Producer(bootstrap), artifacts, topics, signing)
    failures: list[BaseException] = []

    def guarded(side: Callable[[Callable[[float], bool]], None], stops: LoopWatchdog) -> None:
        try:
            side(stops)
        except BaseException as error:  # noqa: BLE001 - a side that ends by a bug must end the process, not hang it
            failures.append(error)
            stopping.stop()

    named = (("intake", intake.run), ("outbox", outbox.run), ("topics", maintainer.run))
    watchdogs = tuple(LoopWatchdog(stopping) for _ in named)
    sides = [
        threading.Thread(target=guarded, args=(side, stops), name=name)
        for (name, side), stops in zip(named, watchdogs, strict=True)
    ]
    for side in sides:
        side.start()
    sinks.start(chosen.sinks, lambda: LedgerClient(locations.socket("ledger")), stopping)
    process.announce("bridge", lambda: all(one.is_alive() for one in watchdogs))
    for side in sides:
        side.join()
    reader.close()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    process.run("bridge", main)
