"""`python -m medkg_lab.knowledge`: the process that keeps passages, vectors and the graph."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from medkg_lab import process, rpc, settings
from medkg_lab.knowledge.effects import Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.follower import Follower
from medkg_lab.knowledge.progress import Progress
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.index.implementation import INDEX
from medkg_lab.stages.index.options import IndexOptions
from medkg_lab.topology.catalog import Catalog

if TYPE_CHECKING:
    from medkg_lab.knowledge.service import Knowledge

_LAST_PAGE_S = 2.0
"""How long the follower may take, at the end, to finish the page it is at."""


def main() -> None:
    """Serve until SIGTERM."""
    # While the indexes are brought up to date there is nothing to finish: the process may end anywhere.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.umask(0o077)
    _, locations = process.arguments("knowledge")
    # Not before an error of its can be told: FAISS need not be there.
    from medkg_lab.knowledge.service import Knowledge

    chosen = settings.load(locations)
    folder = locations.data / "knowledge"
    stages = Catalog(locations).profile(chosen.profile).stages
    encoders = Encoders.standard(locations.cache, stages[StageType.EMBED], locations.data / "models")
    index = stages[StageType.INDEX]
    ours = IndexOptions.model_validate(index.with_) if index.implementation == INDEX.name else IndexOptions()
    knowledge = Knowledge(folder, encoders, chosen.profile, chosen.search, ours.vectors_on_gpu)
    try:
        failure = asyncio.run(_serve(knowledge, locations))
    finally:
        knowledge.close()
    if failure is not None:
        raise failure


async def _serve(knowledge: "Knowledge", locations: Locations) -> BaseException | None:
    """Answer and follow the ledger until a signal; returns what made following impossible, if anything did."""
    from medkg_lab.knowledge.server import READERS, handlers

    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    writer, readers = ThreadPoolExecutor(1, "writer"), ThreadPoolExecutor(READERS, "reader")
    position = knowledge.database.position("ledger")
    progress = Progress(position)

    def apply(effects: Sequence[Effect], seq: int) -> None:
        writer.submit(knowledge.apply, effects, seq).result()

    client = LedgerClient(locations.socket("ledger"))
    follower = Follower(client, position, apply, progress.reached, locations.data / "knowledge")
    failures: list[BaseException] = []

    def follow() -> None:
        try:
            follower.run()
        except BaseException as error:  # noqa: BLE001 - a thread that ends by a bug must end the process, not hang it
            failures.append(error)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ending.set)

    # A daemon, because a ledger that hangs may keep it in a call for longer than ending may take.
    following = threading.Thread(target=follow, name="follower", daemon=True)
    following.start()
    server = await rpc.serve(locations.socket("knowledge"), handlers(knowledge, writer, readers, follower, progress))
    process.announce("knowledge", revision=knowledge.database.position("revision"), position=position)
    await ending.wait()
    server.close()
    follower.stop()
    await asyncio.to_thread(following.join, _LAST_PAGE_S)
    writer.shutdown(cancel_futures=True)
    readers.shutdown(cancel_futures=True)
    return failures[0] if failures else None


if __name__ == "__main__":
    process.run("knowledge", main)
