"""Dagster's daemon in threads of this process, with a sensor loop that does not sleep five seconds between looks."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from dagster import DagsterInstance

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.compat import (
    DaemonIterator,
    DagsterDaemon,
    IWorkspaceProcessContext,
    SensorDaemon,
    create_daemon_of_type,
    execute_sensor_iteration,
)

CHECK_INTERVAL_S = 1.0
"""How long a look waits for a gate to open; the ledger answers at once when one does."""
PACE_INTERVAL_S = 0.1
"""The least pause between two evaluations, so that gates that open together are released together."""
HEARTBEAT_INTERVAL_S = 30.0
ERROR_AGE_S = 300
"""How often a daemon says that it lives, and how long its page shows an error."""
IDLE_S = 15.0
"""A look in vain costs Dagster a dozen writes, so without an open gate the sensor is evaluated this seldom."""


class LabSensorDaemon(SensorDaemon):
    """Evaluates sensors at once when there is something for them, else now and then."""

    def __init__(self, pending: Callable[[], bool]) -> None:
        super().__init__(settings={})
        self._pending = pending

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
    ) -> DaemonIterator:
        """Dagster's own loop, but for its pace; errors reach the page of the daemons through what is yielded."""
        last = -IDLE_S
        while True:
            if self._pending() or time.monotonic() - last >= IDLE_S:
                last = time.monotonic()
                yield from execute_sensor_iteration(
                    workspace_process_context, self._logger, threadpool_executor=None, submit_threadpool_executor=None
                )
            shutdown_event.wait(PACE_INTERVAL_S)
            yield None


def gates_pending(ledger: LedgerClient) -> Callable[[], bool]:
    """Whether the ledger has releases that were not launched, waiting a while for one; False while it does not answer."""

    def pending() -> bool:
        try:
            return bool(ledger.releases(CHECK_INTERVAL_S))
        except LabError:
            time.sleep(CHECK_INTERVAL_S)
            return False

    return pending


class Daemons:
    """All daemons that the instance needs, each in a thread; Dagster's controller would wait half a minute for each to end."""

    def __init__(
        self, context: IWorkspaceProcessContext[Any], instance: DagsterInstance, pending: Callable[[], bool]
    ) -> None:
        self._stop = threading.Event()
        uuid = str(uuid4())
        self._threads = [
            threading.Thread(
                target=daemon.run_daemon_loop,
                args=(context, uuid, self._stop, HEARTBEAT_INTERVAL_S, ERROR_AGE_S),
                name=f"daemon-{daemon.daemon_type()}",
                daemon=True,
            )
            for daemon in _daemons(instance, pending)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Ask them to end and wait up to `seconds`; they hold nothing that must be saved."""
        self._stop.set()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))


def _daemons(instance: DagsterInstance, pending: Callable[[], bool]) -> list[DagsterDaemon[Any]]:
    return [
        LabSensorDaemon(pending) if name == SensorDaemon.daemon_type() else create_daemon_of_type(name, instance)
        for name in instance.get_required_daemon_types()
    ]
