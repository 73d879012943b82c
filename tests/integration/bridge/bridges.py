"""The real bridge between a broker and a ledger of their own, and what tests do to it."""

import signal
import subprocess
from typing import Any

from medkg_lab.bridge.intake import GROUP
from medkg_lab.broker.client import Producer, Record, group_listing, read_all
from medkg_lab.broker.client_settings import Bootstrap
from medkg_lab.broker.listing import GroupPosition
from medkg_lab.broker.topics import DEAD_LETTERS, REQUESTS
from tests.brokers import BrokerProcess
from tests.integration.engine.processes import Lab
from tests.waiting import wait_until


class Bridge:
    """The real bridge between a broker and a ledger of their own."""

    def __init__(self, broker: BrokerProcess, lab: Lab) -> None:
        self.broker = broker
        self.lab = lab

    def dead_letters(self) -> list[Record]:
        return list(read_all(self.broker.bootstrap, DEAD_LETTERS))

    def wait_until_done(self) -> None:
        """Until everything on the work queue has been read and committed."""
        wait_until(self._is_done, 60, "the work queue is done with")

    def groups(self) -> list[GroupPosition]:
        """What the intake's group shows, by partition."""
        return [one for one in group_listing(self.broker.bootstrap) if one.group == GROUP and one.topic]

    def _is_done(self) -> bool:
        listed = self.groups()
        return bool(listed) and all(one.lag == 0 for one in listed)

    def jobs(self) -> set[str]:
        with self.lab.client() as client:
            return {job.doc_id for job in client.jobs(limit=100)}

    def stop(self, process: "subprocess.Popen[str]") -> None:
        """End one process as the supervisor does."""
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def put(bootstrap: Bootstrap, *records: dict[str, Any]) -> None:
    """Put records on the first partition of the work queue, behind one another."""
    with Producer(bootstrap) as producer:
        for record in records:
            producer.send(REQUESTS, partition=0, **record)
