"""`python -m medkg_lab.engine --home DIR --name engine-compute --lane compute`: one warm worker."""

import argparse
import logging
import os
import signal
import threading
from functools import partial

from medkg_lab import process, settings
from medkg_lab.artifacts.recording import Recording
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine.batch_run import EngineContext
from medkg_lab.engine.batch_sizing import BatchSizing
from medkg_lab.engine.definitions import Definitions
from medkg_lab.engine.gpu_lock import GpuLock
from medkg_lab.engine.handback import Handback
from medkg_lab.engine.http_recording import SharedHttpClient
from medkg_lab.engine.lease import Lease
from medkg_lab.engine.loops import EngineLoops
from medkg_lab.engine.stage_factory import StageFactory
from medkg_lab.engine.worker import Stop, Worker, stop_in_time
from medkg_lab.errors import LabError
from medkg_lab.event_loop import LoopThread
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations
from medkg_lab.logs import fields
from medkg_lab.orchestration.drive import Driver
from medkg_lab.process import CannotRun
from medkg_lab.resilience.breaker import call_in_thread
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.services.loading import loading
from medkg_lab.settings import Settings, SettingsInvalid
from medkg_lab.stages.contracts import Lane
from medkg_lab.stages.registry import Resources
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.errors import DefinitionInvalid, UnknownProfile

HEARTBEAT_TIMEOUT_S = 2.0
"""Seconds a heartbeat may take: one that hangs must not outlast the lease."""

OVERDUE = 70
"""The exit code of an engine that ended itself: the supervisor starts another."""

LEDGER_TIMEOUT_S = 600.0
"""Seconds for which an engine goes on sending to a ledger that is away: without it there is nothing else to do, and what is not
delivered would be done again."""

SERVICE_TIMEOUT_S = 60.0
"""Seconds that a stage waits for another process of the lab before its batch is given back; half a stage's deadline at most."""

STATE_STORE_TIMEOUT_S = 2.0
"""Seconds a question about shared breakers and rates may take before the engine goes on without an answer."""


def end_overdue(ledger: LedgerClient, batch_id: str, job_id: str | None) -> None:
    """End this process: a stage of the batch went on beyond its deadline, and the ledger gives the batch to another engine."""
    log = logging.getLogger("engine")
    log.critical(
        "batch %s ran over its deadline at job %s: this engine ends, with the stage",
        batch_id,
        job_id,
        extra=fields(event="batch.overdue", batch=batch_id, job=job_id),
    )
    if job_id is not None:
        try:
            ledger.surrender(batch_id, None, job_id)
        except LabError as error:
            log.warning(
                "the ledger was not told which job it was, and will find it by halves: %s",
                error,
                extra=fields(event="batch.unreported", batch=batch_id, job=job_id),
            )
    logging.shutdown()
    os._exit(OVERDUE)


def build(locations: Locations, chosen: Settings, name: str, stop: Stop) -> EngineContext:
    """Make everything that an engine's batches use. Raises DefinitionInvalid, UnknownProfile or WriterInUse."""
    artifacts = ArtifactStore(locations.data / "artifacts", writer=name)
    recording = Recording(locations.data, name, chosen.recording) if chosen.recording.enabled else None

    def make_durable() -> None:
        artifacts.commit()
        if recording is not None:
            recording.commit()

    ledger = LedgerClient(locations.socket("ledger"), LEDGER_TIMEOUT_S, before_emit=make_durable)
    driver = Driver()
    network = LoopThread("network")
    resources = Resources(
        cache=locations.cache,
        knowledge_socket=locations.socket("knowledge"),
        allowed_roots=chosen.allowed_roots,
        vocabularies=locations.data / "vocabularies",
        models=locations.data / "models",
        source_settings=chosen.sources,
        patience=min(SERVICE_TIMEOUT_S, chosen.stage_deadline_seconds / 2),
    )
    heart = LedgerClient(locations.socket("ledger"), deadline=HEARTBEAT_TIMEOUT_S)
    definitions = Definitions(ledger, Catalog(locations), chosen.profile, driver)
    return EngineContext(
        ledger=ledger,
        artifacts=artifacts,
        definitions=definitions,
        stage_factory=StageFactory(resources),
        driver=driver,
        lease=Lease(heart, chosen.lease_seconds, chosen.stage_deadline_seconds, partial(end_overdue, heart)),
        sizing=BatchSizing(chosen.batch_limit),
        http=SharedHttpClient(
            chosen.sources,
            recording.store if recording else None,
            chosen.recording.max_answer_mib * 1024 * 1024,
            network,
        ),
        hurry=stop.hurry,
        gpu=GpuLock(locations.state / "gpu.lock"),
        loading=lambda: loading(locations.state, (server.name for server in definitions.profile.servers)),
        circuits=BreakerRegistry(
            state_store=LedgerClient(locations.socket("ledger"), deadline=STATE_STORE_TIMEOUT_S),
            owner=name,
            store_call=call_in_thread,
        ),
        loops=EngineLoops(network),
    )


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="engine")
    parser.add_argument("--name", default="engine-compute", help="the engine's name, unique in the lab")
    parser.add_argument(
        "--lane", choices=[lane.value for lane in Lane], default=Lane.COMPUTE.value, help="which segments it serves"
    )
    given, locations = process.arguments("engine", parser)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        chosen = settings.load(locations)
        bench = build(locations, chosen, given.name, stop)
    except (SettingsInvalid, DefinitionInvalid, UnknownProfile) as error:
        raise CannotRun(process=given.name, detail=str(error)) from error
    handback = Handback(locations.state / f"{given.name}.handback.json")
    worker = Worker(bench, given.name, Lane(given.lane), chosen.lease_seconds, stop, handback)
    # Dagster takes over the signal handlers of a run in the main thread, so batches run in another.
    thread = threading.Thread(target=worker.loop, name="batches", daemon=True)
    thread.start()
    process.announce(given.name, lane=given.lane)
    while thread.is_alive() and not stop.wait(1.0):
        pass
    stop_in_time(thread, bench, worker, lambda: LedgerClient(locations.socket("ledger"), deadline=1.0))
    bench.lease.close()
    bench.http.close()
    bench.loops.close()
    bench.artifacts.close()
    if worker.broken is not None:
        raise worker.broken


if __name__ == "__main__":
    process.run("engine", main)
