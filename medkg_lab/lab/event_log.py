"""The topic of the ledger's events as a recovery reads it: from the broker that runs, or from one that runs for the reading."""

import contextlib
from collections.abc import Iterator

from medkg_lab.broker.address import Address
from medkg_lab.broker.engine import choose
from medkg_lab.broker.reading import read_all
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.lab.engines import running
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger import epochs
from medkg_lab.ledger.chain import LogRecord
from medkg_lab.ledger.log_source import EventTopic
from medkg_lab.signing import LEDGER_LOG, signer

TIMEOUT_S = 5.0
"""Seconds that a broker that does not answer, or goes silent, is waited for: there are other sources."""


@contextlib.contextmanager
def event_log(lab: Lab, accept_unsigned: bool = False, accept_more: bool = False) -> Iterator[EventTopic]:
    """The topic, for the time of the block. What goes wrong with the broker is raised while the records are read."""
    with contextlib.ExitStack() as stack:
        newest = epochs.current(lab.locations.state)
        yield EventTopic(_records(lab, stack), signer(lab.locations, LEDGER_LOG), newest, accept_unsigned, accept_more)


def _records(lab: Lab, stack: contextlib.ExitStack) -> Iterator[LogRecord]:
    topic = Topics(lab.settings.broker.topic_prefix).ledger_log
    for record in read_all(_broker(lab, stack), topic, TIMEOUT_S):
        if record.value is not None:
            yield LogRecord(record.value, dict(record.headers))


def _broker(lab: Lab, stack: contextlib.ExitStack) -> Address:
    if _is_ready(lab):
        return lab.bootstrap
    return stack.enter_context(running(choose(lab.locations, lab.settings)))


def _is_ready(lab: Lab) -> bool:
    """Whether the lab runs and its broker, if it is the lab's to run, is ready."""
    try:
        processes = lab.supervisor.status().processes
    except LabError:
        return False
    return all(one.state == "ready" for one in processes if one.name == "broker")
