"""Following a topic over its broker's death."""

import queue
import threading
from collections.abc import Iterator

import pytest

from medkg_lab.broker.client import Record, follow, tail
from medkg_lab.broker.errors import UnknownTopic
from tests.brokers import BrokerProcess, make_topic, send_each


def take(records: Iterator[Record], into: "queue.Queue[Record]", count: int) -> threading.Thread:
    thread = threading.Thread(target=lambda: [into.put(next(records)) for _ in range(count)], daemon=True)
    thread.start()
    return thread


def test_following_begins_with_the_last_ones_and_outlives_the_broker(broker: BrokerProcess) -> None:
    broker.start()
    make_topic(broker.bootstrap, "t", 2)
    send_each(broker.bootstrap, "t", b"1", b"2", b"3")
    found: queue.Queue[Record] = queue.Queue()
    take(follow(broker.bootstrap, "t", 2), found, 4)
    assert [found.get(timeout=20).value for _ in range(2)] == [b"2", b"3"]
    send_each(broker.bootstrap, "t", b"4")
    assert found.get(timeout=20).value == b"4"
    broker.kill()
    broker.start()
    send_each(broker.bootstrap, "t", b"5")
    assert found.get(timeout=20).value == b"5"
    assert tail(broker.bootstrap, "t", 0) == []
    with pytest.raises(UnknownTopic):
        next(follow(broker.bootstrap, "nowhere"))
